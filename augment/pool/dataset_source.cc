#include "augment/pool/dataset_source.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "augment/base/status_macros.h"
#include "augment/pool/cifar_reader.h"
#include "augment/pool/file_io.h"
#include "augment/pool/generated_cache.h"
#include "augment/pool/idx_reader.h"
#include "augment/pool/image_folder_reader.h"
#include "augment/pool/pad_images.h"
#include "augment/pool/stl10_reader.h"

namespace mixfeed {
namespace {

using Progress = std::function<void(double)>;

constexpr char kGenerated[] = "generated";
constexpr int kMinImageSide = 8;
constexpr size_t kMaxNameLength = 64;

// --- text -> DatasetSource ---

template <typename... Parts>
absl::Status InvalidSource(const std::string& text, const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("dataset \"", text, "\": ", parts...));
}

bool IsName(const std::string& name) {
  return !name.empty() && name.size() <= kMaxNameLength &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
         });
}

absl::Status CheckSide(const std::string& text, const char* key, int side) {
  if (side >= kMinImageSide && side <= kMaxImageSide) return absl::OkStatus();
  return InvalidSource(text, key, " is ", side, "; allowed are ", kMinImageSide, " to ",
                       kMaxImageSide);
}

absl::Status SetSide(const std::string& text, const char* key, const std::string& value,
                     int* side) {
  if (!absl::SimpleAtoi(value, side)) {
    return InvalidSource(text, key, " is \"", value, "\"; allowed are whole numbers");
  }
  return CheckSide(text, key, *side);
}

absl::Status SetOption(const std::string& text, const std::string& option, DatasetSource* source) {
  const std::vector<std::string> parts = absl::StrSplit(option, absl::MaxSplits('=', 1));
  const std::string& key = parts[0];
  const std::string value = parts.size() == 2 ? parts[1] : "";
  if (key == "labels") {
    if (value != "fine" && value != "coarse") {
      return InvalidSource(text, "labels is \"", value, "\"; allowed are fine, coarse");
    }
    source->coarse_labels = value == "coarse";
  } else if (key == "size") {
    return SetSide(text, "size", value, &source->image_size);
  } else if (key == "pad") {
    return SetSide(text, "pad", value, &source->padded_size);
  } else if (key == "seed") {
    if (!absl::SimpleAtoi(value, &source->generator_seed)) {
      return InvalidSource(text, "seed is \"", value, "\"; allowed are 0 to 2^64 - 1");
    }
  } else {
    return InvalidSource(text, "option \"", key, "\"; allowed are labels, size, pad, seed");
  }
  return absl::OkStatus();
}

// --- DatasetSource -> Dataset ---

// A reader of the files in one folder.
struct Reader {
  const char* title;
  // The folder that has its files, `folder` or one inside it; empty when neither has.
  std::string (*find)(const std::string& folder);
  // `folder` is what `find` found.
  absl::StatusOr<Dataset> (*read)(const DatasetSource& source, const std::string& folder,
                                  const Progress& progress);
  // Which options it understands; set to anything but their defaults, the others are refused.
  bool takes_labels = false;
  bool takes_size = false;
  bool takes_pad = false;
  bool takes_seed = false;
};

template <CifarKind kind>
std::string FindCifar(const std::string& folder) {
  return FindCifarFolder(folder, kind);
}

absl::StatusOr<Dataset> OpenCifar10(const DatasetSource&, const std::string& folder,
                                    const Progress&) {
  return ReadCifar(folder, CifarKind::kCifar10);
}

absl::StatusOr<Dataset> OpenCifar100(const DatasetSource& source, const std::string& folder,
                                     const Progress&) {
  return ReadCifar(folder,
                   source.coarse_labels ? CifarKind::kCifar100Coarse : CifarKind::kCifar100Fine);
}

absl::StatusOr<Dataset> OpenIdx(const DatasetSource& source, const std::string& folder,
                                const Progress&) {
  MIXFEED_ASSIGN_OR_RETURN(Dataset dataset, ReadIdx(folder));
  if (source.padded_size == 0) return dataset;
  const absl::Status padded = PadImages(source.padded_size, &dataset);
  if (padded.ok()) return dataset;
  return absl::Status(padded.code(),
                      absl::StrCat(source.path, ": ", std::string(padded.message())));
}

absl::StatusOr<Dataset> OpenStl10(const DatasetSource&, const std::string& folder,
                                  const Progress&) {
  return ReadStl10(folder);
}

// To add a reader: a function that finds its folder, one that reads it into shape, class names and
// partitions (name and fingerprint are set here), and a line here. The one that finds its files
// reads them.
constexpr Reader kReaders[] = {
    {.title = "CIFAR-10", .find = FindCifar<CifarKind::kCifar10>, .read = OpenCifar10},
    {.title = "CIFAR-100",
     .find = FindCifar<CifarKind::kCifar100Fine>,
     .read = OpenCifar100,
     .takes_labels = true},
    {.title = "IDX files", .find = FindIdxFolder, .read = OpenIdx, .takes_pad = true},
    {.title = "STL-10", .find = FindStl10Folder, .read = OpenStl10},
};

absl::StatusOr<Dataset> OpenGenerated(const DatasetSource& source, const std::string&,
                                      const Progress& progress) {
  return OpenGeneratedDataset({.seed = source.generator_seed}, source.cache_dir, progress);
}

absl::StatusOr<Dataset> OpenImageFolder(const DatasetSource& source, const std::string& folder,
                                        const Progress& progress) {
  return ReadImageFolder(folder, source.image_size, progress);
}

// Apart from the table: one is asked for by name, the other takes every folder that is left.
constexpr Reader kGeneratedReader = {
    .title = "the generated dataset", .find = nullptr, .read = OpenGenerated, .takes_seed = true};
constexpr Reader kImageFolderReader = {
    .title = "a folder of images", .find = nullptr, .read = OpenImageFolder, .takes_size = true};

struct Found {
  const Reader* reader = nullptr;
  std::string folder = {};
};

absl::StatusOr<Found> FindReader(const DatasetSource& source) {
  if (source.path == kGenerated) return Found{.reader = &kGeneratedReader};
  Found found;
  for (const Reader& reader : kReaders) {
    const std::string folder = reader.find(source.path);
    if (folder.empty()) continue;
    if (found.reader != nullptr) {
      return InvalidSource(source.path, "holds ", found.reader->title, " and ", reader.title, " (",
                           folder, "); name the folder of one");
    }
    found = {.reader = &reader, .folder = folder};
  }
  if (found.reader != nullptr) return found;
  if (IsFolder(source.path)) return Found{.reader = &kImageFolderReader, .folder = source.path};
  return absl::NotFoundError(absl::StrCat(source.path, ": no dataset is there"));
}

absl::Status CheckOptions(const DatasetSource& source, const Reader& reader) {
  const DatasetSource defaults;
  struct Option {
    const char* key;
    bool given;
    bool taken;
  };
  const Option options[] = {
      {"labels", source.coarse_labels != defaults.coarse_labels, reader.takes_labels},
      {"size", source.image_size != defaults.image_size, reader.takes_size},
      {"pad", source.padded_size != defaults.padded_size, reader.takes_pad},
      {"seed", source.generator_seed != defaults.generator_seed, reader.takes_seed},
  };
  for (const Option& option : options) {
    if (option.given && !option.taken) {
      return InvalidSource(source.path, "option ", option.key, " does not apply to ", reader.title);
    }
  }
  return absl::OkStatus();
}

// Every class must have a training image: recipes and splits count on it.
absl::Status CheckClasses(const DatasetSource& source, const Dataset& dataset) {
  std::vector<bool> present(dataset.class_names.size());
  for (int16_t label : dataset.train.labels) {
    if (label != kNoLabel) present[static_cast<size_t>(label)] = true;
  }
  for (size_t c = 0; c < present.size(); ++c) {
    if (!present[c]) {
      return absl::InvalidArgumentError(absl::StrCat(
          source.path, ": class ", c, " (", dataset.class_names[c], ") has no training image"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DatasetSource> ParseDatasetSource(const std::string& text) {
  DatasetSource source;
  const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits('?', 1));
  source.path = parts[0];
  const size_t equals = source.path.find('=');
  // A path may hold a '=' too; a name holds no '/'.
  if (equals < source.path.find('/')) {
    source.name = source.path.substr(0, equals);
    source.path.erase(0, equals + 1);
  } else {
    source.name = source.path == kGenerated ? kGenerated : FolderName(source.path);
  }
  if (source.path.empty()) return InvalidSource(text, "no folder; give [NAME=]DIR or generated");
  if (!IsName(source.name)) {
    return InvalidSource(text, "name is \"", source.name, "\"; allowed are 1 to ", kMaxNameLength,
                         " of A-Z a-z 0-9 - _ . (give one as NAME=DIR)");
  }
  if (parts.size() == 2) {
    for (const auto& option : absl::StrSplit(parts[1], '&')) {
      MIXFEED_RETURN_IF_ERROR(SetOption(text, std::string(option), &source));
    }
  }
  return source;
}

absl::StatusOr<Dataset> OpenDataset(const DatasetSource& source, const Progress& progress) {
  MIXFEED_ASSIGN_OR_RETURN(const Found found, FindReader(source));
  MIXFEED_RETURN_IF_ERROR(CheckOptions(source, *found.reader));
  MIXFEED_RETURN_IF_ERROR(CheckSide(source.path, "size", source.image_size));
  MIXFEED_ASSIGN_OR_RETURN(Dataset dataset, found.reader->read(source, found.folder, progress));
  MIXFEED_RETURN_IF_ERROR(CheckClasses(source, dataset));
  dataset.name = source.name;
  dataset.fingerprint = FingerprintDataset(dataset);
  return dataset;
}

}  // namespace mixfeed
