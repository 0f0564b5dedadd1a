#include "augment/pool/cifar_reader.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "augment/base/status_macros.h"
#include "augment/pool/class_names.h"
#include "augment/pool/file_io.h"
#include "augment/pool/record_checks.h"

namespace mixfeed {
namespace {

constexpr ImageShape kCifarShape{.channels = 3, .height = 32, .width = 32};

// What sets one kind apart from the others.
struct Layout {
  const char* title;
  const char* archive_folder;
  std::vector<std::string> train_files;
  const char* test_file;
  int label_bytes;  // before each image
  int label_at;     // which of them is read
  const char* names_file;
  const char* names;  // used without names_file, in label order
};

const Layout& LayoutOf(CifarKind kind) {
  static const std::vector<Layout>* const layouts = new std::vector<Layout>{
      {.title = "CIFAR-10",
       .archive_folder = "cifar-10-batches-bin",
       .train_files = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                       "data_batch_4.bin", "data_batch_5.bin"},
       .test_file = "test_batch.bin",
       .label_bytes = 1,
       .label_at = 0,
       .names_file = "batches.meta.txt",
       .names = "airplane automobile bird cat deer dog frog horse ship truck"},
      {.title = "CIFAR-100",
       .archive_folder = "cifar-100-binary",
       .train_files = {"train.bin"},
       .test_file = "test.bin",
       .label_bytes = 2,
       .label_at = 1,
       .names_file = "fine_label_names.txt",
       .names =
           "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus "
           "butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach "
           "couch crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster "
           "house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree "
           "motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear "
           "pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road "
           "rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel "
           "streetcar sunflower sweet_pepper table tank telephone television tiger tractor train "
           "trout tulip turtle wardrobe whale willow_tree wolf woman worm"},
      {.title = "CIFAR-100",
       .archive_folder = "cifar-100-binary",
       .train_files = {"train.bin"},
       .test_file = "test.bin",
       .label_bytes = 2,
       .label_at = 0,
       .names_file = "coarse_label_names.txt",
       .names = "aquatic_mammals fish flowers food_containers fruit_and_vegetables "
                "household_electrical_devices household_furniture insects large_carnivores "
                "large_man-made_outdoor_things large_natural_outdoor_scenes "
                "large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people "
                "reptiles small_mammals trees vehicles_1 vehicles_2"},
  };
  return (*layouts)[static_cast<size_t>(kind)];
}

// Appends the records of `path` to `images`.
absl::Status ReadRecords(const std::string& path, const Layout& layout, int num_classes,
                         ImageSet* images) {
  const int64_t record_bytes = layout.label_bytes + kCifarShape.pixels();
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadWholeFile(path));
  const auto size = static_cast<int64_t>(bytes.size());
  MIXFEED_RETURN_IF_ERROR(CheckWholeRecords(path, layout.title, size, record_bytes));
  for (int64_t at = 0; at < size; at += record_bytes) {
    const int64_t label_at = at + layout.label_at;
    const int label = bytes[static_cast<size_t>(label_at)];
    MIXFEED_RETURN_IF_ERROR(CheckLabel(path, label_at, label, {0, num_classes - 1}));
    images->labels.push_back(static_cast<int16_t>(label));
    const auto pixels = bytes.begin() + at + layout.label_bytes;
    images->pixels.insert(images->pixels.end(), pixels, pixels + kCifarShape.pixels());
  }
  return absl::OkStatus();
}

}  // namespace

std::string FindCifarFolder(const std::string& folder, CifarKind kind) {
  const Layout& layout = LayoutOf(kind);
  return FindFolder({folder, JoinPath(folder, layout.archive_folder)}, layout.train_files);
}

absl::StatusOr<Dataset> ReadCifar(const std::string& folder, CifarKind kind) {
  const Layout& layout = LayoutOf(kind);
  Dataset dataset;
  dataset.shape = kCifarShape;
  MIXFEED_ASSIGN_OR_RETURN(dataset.class_names,
                           ReadClassNames(JoinPath(folder, layout.names_file), layout.title,
                                          absl::StrSplit(layout.names, ' ')));
  for (const std::string& file : layout.train_files) {
    const std::string path = JoinPath(folder, file);
    if (!IsFile(path)) {
      return absl::NotFoundError(absl::StrCat(path, ": is missing; ", layout.title, " has ",
                                              layout.train_files.size(), " training files"));
    }
    MIXFEED_RETURN_IF_ERROR(ReadRecords(path, layout, dataset.num_classes(), &dataset.train));
  }
  const std::string test_path = JoinPath(folder, layout.test_file);
  if (IsFile(test_path)) {
    MIXFEED_RETURN_IF_ERROR(ReadRecords(test_path, layout, dataset.num_classes(), &dataset.test));
  }
  return dataset;
}

}  // namespace mixfeed
