#include "augment/pool/dataset_source.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "augment/base/status_macros.h"
#include "augment/pool/cifar_reader.h"
#include "augment/pool/file_io.h"
#include "augment/pool/generated_cache.h"
#include "augment/pool/image_folder_reader.h"

namespace mixfeed {
namespace {

using Progress = std::function<void(double)>;

constexpr char kGenerated[] = "generated";
constexpr int kMinImageSize = 8;
constexpr int kMaxImageSize = 256;
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

// The last component of `path`, also of "dir/" and ".".
std::string FolderName(const std::string& path) {
  std::error_code error;
  std::filesystem::path whole = std::filesystem::absolute(path, error).lexically_normal();
  if (!whole.has_filename()) whole = whole.parent_path();
  return whole.filename().string();
}

absl::Status CheckImageSize(const std::string& text, int size) {
  if (size >= kMinImageSize && size <= kMaxImageSize) return absl::OkStatus();
  return InvalidSource(text, "size is ", size, "; allowed are ", kMinImageSize, " to ",
                       kMaxImageSize);
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
    if (!absl::SimpleAtoi(value, &source->image_size)) {
      return InvalidSource(text, "size is \"", value, "\"; allowed are whole numbers");
    }
    return CheckImageSize(text, source->image_size);
  } else if (key == "seed") {
    if (!absl::SimpleAtoi(value, &source->generator_seed)) {
      return InvalidSource(text, "seed is \"", value, "\"; allowed are 0 to 2^64 - 1");
    }
  } else {
    return InvalidSource(text, "option \"", key, "\"; allowed are labels, size, seed");
  }
  return absl::OkStatus();
}

// --- DatasetSource -> Dataset ---

template <CifarKind kind>
bool IsCifar(const DatasetSource& source) {
  return !FindCifarFolder(source.path, kind).empty();
}

absl::StatusOr<Dataset> OpenCifar10(const DatasetSource& source, const Progress&) {
  const std::string other = FindCifarFolder(source.path, CifarKind::kCifar100Fine);
  if (!other.empty()) {
    return InvalidSource(source.path, "holds CIFAR-10 and CIFAR-100 (", other, "); name one");
  }
  return ReadCifar(FindCifarFolder(source.path, CifarKind::kCifar10), CifarKind::kCifar10);
}

absl::StatusOr<Dataset> OpenCifar100(const DatasetSource& source, const Progress&) {
  const CifarKind kind =
      source.coarse_labels ? CifarKind::kCifar100Coarse : CifarKind::kCifar100Fine;
  return ReadCifar(FindCifarFolder(source.path, kind), kind);
}

bool IsGenerated(const DatasetSource& source) { return source.path == kGenerated; }

absl::StatusOr<Dataset> OpenGenerated(const DatasetSource& source, const Progress& progress) {
  return OpenGeneratedDataset({.seed = source.generator_seed}, source.cache_dir, progress);
}

bool IsImageFolder(const DatasetSource& source) { return IsFolder(source.path); }

absl::StatusOr<Dataset> OpenImageFolder(const DatasetSource& source, const Progress& progress) {
  return ReadImageFolder(source.path, source.image_size, progress);
}

struct Reader {
  const char* title;
  bool (*recognises)(const DatasetSource& source);
  absl::StatusOr<Dataset> (*read)(const DatasetSource& source, const Progress& progress);
  // Which options it understands; set to anything but their defaults, the others are refused.
  bool takes_labels = false;
  bool takes_size = false;
  bool takes_seed = false;
};

// To add a reader: a function that reads a DatasetSource into shape, class names, partitions (name
// and fingerprint are set here), one that tells from the source whether it is meant, and a line
// here. The first that recognises the source reads it.
constexpr Reader kReaders[] = {
    {.title = "the generated dataset",
     .recognises = IsGenerated,
     .read = OpenGenerated,
     .takes_seed = true},
    {.title = "CIFAR-10", .recognises = IsCifar<CifarKind::kCifar10>, .read = OpenCifar10},
    {.title = "CIFAR-100",
     .recognises = IsCifar<CifarKind::kCifar100Fine>,
     .read = OpenCifar100,
     .takes_labels = true},
    {.title = "a folder of images",
     .recognises = IsImageFolder,
     .read = OpenImageFolder,
     .takes_size = true},
};

absl::StatusOr<const Reader*> FindReader(const DatasetSource& source) {
  for (const Reader& reader : kReaders) {
    if (reader.recognises(source)) return &reader;
  }
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
  MIXFEED_ASSIGN_OR_RETURN(const Reader* const reader, FindReader(source));
  MIXFEED_RETURN_IF_ERROR(CheckOptions(source, *reader));
  MIXFEED_RETURN_IF_ERROR(CheckImageSize(source.path, source.image_size));
  MIXFEED_ASSIGN_OR_RETURN(Dataset dataset, reader->read(source, progress));
  MIXFEED_RETURN_IF_ERROR(CheckClasses(source, dataset));
  dataset.name = source.name;
  dataset.fingerprint = FingerprintDataset(dataset);
  return dataset;
}

}  // namespace mixfeed
