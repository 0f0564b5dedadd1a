#include "augment/pool/stl10_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/memory.h"
#include "augment/base/status_macros.h"
#include "augment/pool/class_names.h"
#include "augment/pool/file_io.h"
#include "augment/pool/record_checks.h"

namespace mixfeed {
namespace {

constexpr char kTitle[] = "STL-10";
constexpr char kTrainImages[] = "train_X.bin";
constexpr char kTestImages[] = "test_X.bin";
constexpr char kUnlabelledImages[] = "unlabeled_X.bin";
constexpr int kStl10Side = 96;
constexpr ImageShape kStl10Shape{.channels = 3, .height = kStl10Side, .width = kStl10Side};

// Turns a plane that was stored column by column into one stored row by row.
void Transpose(uint8_t* plane) {
  for (int y = 0; y < kStl10Side; ++y) {
    for (int x = y + 1; x < kStl10Side; ++x)
      std::swap(plane[y * kStl10Side + x], plane[x * kStl10Side + y]);
  }
}

// Appends the images of `path` without their labels; returns how many they are.
absl::StatusOr<int64_t> AppendImages(const std::string& path, ImageSet* images) {
  const auto before = static_cast<int64_t>(images->pixels.size());
  MIXFEED_RETURN_IF_ERROR(AppendFile(path, kMaxFileBytes, &images->pixels));
  const auto end = static_cast<int64_t>(images->pixels.size());
  MIXFEED_RETURN_IF_ERROR(CheckWholeRecords(path, kTitle, end - before, kStl10Shape.pixels()));
  for (int64_t at = before; at < end; at += int64_t{kStl10Side} * kStl10Side)
    Transpose(images->pixels.data() + at);
  return (end - before) / kStl10Shape.pixels();
}

absl::StatusOr<ImageSet> ReadLabelled(const std::string& folder, const char* images_file,
                                      const char* labels_file, int num_classes) {
  ImageSet images;
  MIXFEED_ASSIGN_OR_RETURN(const int64_t count,
                           AppendImages(JoinPath(folder, images_file), &images));
  const std::string path = JoinPath(folder, labels_file);
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<uint8_t> labels, ReadWholeFile(path));
  if (static_cast<int64_t>(labels.size()) != count) {
    return absl::DataLossError(absl::StrCat(path, ": has ", labels.size(), " bytes, a label each; ",
                                            images_file, " has ", count, " images"));
  }
  for (const uint8_t label : labels) {
    MIXFEED_RETURN_IF_ERROR(CheckLabel(path, images.count(), label, {1, num_classes}));
    images.labels.push_back(static_cast<int16_t>(label - 1));
  }
  return images;
}

absl::Status AppendUnlabelled(const std::string& path, ImageSet* images) {
  MIXFEED_ASSIGN_OR_RETURN(const int64_t count, AppendImages(path, images));
  images->labels.insert(images->labels.end(), static_cast<size_t>(count), kNoLabel);
  return absl::OkStatus();
}

}  // namespace

std::string FindStl10Folder(const std::string& folder) {
  return FindFolder({folder, JoinPath(folder, "stl10_binary")}, {kTrainImages});
}

absl::StatusOr<Dataset> ReadStl10(const std::string& folder) {
  Dataset dataset;
  dataset.shape = kStl10Shape;
  MIXFEED_ASSIGN_OR_RETURN(dataset.class_names,
                           ReadClassNames(JoinPath(folder, "class_names.txt"), kTitle,
                                          {"airplane", "bird", "car", "cat", "deer", "dog", "horse",
                                           "monkey", "ship", "truck"}));
  MIXFEED_ASSIGN_OR_RETURN(
      dataset.train, ReadLabelled(folder, kTrainImages, "train_y.bin", dataset.num_classes()));
  const std::string unlabelled = JoinPath(folder, kUnlabelledImages);
  if (IsFile(unlabelled)) MIXFEED_RETURN_IF_ERROR(AppendUnlabelled(unlabelled, &dataset.train));
  if (IsFile(JoinPath(folder, kTestImages))) {
    MIXFEED_ASSIGN_OR_RETURN(
        dataset.test, ReadLabelled(folder, kTestImages, "test_y.bin", dataset.num_classes()));
  }
  return dataset;
}

}  // namespace mixfeed
