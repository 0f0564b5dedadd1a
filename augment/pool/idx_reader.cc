#include "augment/pool/idx_reader.h"

#include <array>
#include <cstddef>
#include <span>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/base/status_macros.h"
#include "augment/pool/byte_order.h"
#include "augment/pool/class_names.h"
#include "augment/pool/file_io.h"
#include "augment/pool/gzip.h"
#include "augment/pool/record_checks.h"

namespace mixfeed {
namespace {

constexpr size_t kNumberBytes = 4;  // of the magic number and the sizes after it, big-endian

// What sets the file of images apart from that of labels.
struct Kind {
  const char* part;    // of the file's name, after that of the partition
  const char* suffix;  // likewise
  uint32_t magic;      // unsigned bytes (8), then the number of sizes
  std::span<const char* const> sizes;

  int64_t header_bytes() const { return static_cast<int64_t>(kNumberBytes * (1 + sizes.size())); }
};

constexpr const char* kImageSizes[] = {"images", "rows", "columns"};
constexpr const char* kLabelSizes[] = {"labels"};
constexpr Kind kImages = {"images", "idx3-ubyte", 0x803, kImageSizes};
constexpr Kind kLabels = {"labels", "idx1-ubyte", 0x801, kLabelSizes};

constexpr char kTrain[] = "train";
constexpr char kTest[] = "t10k";
constexpr char kGzipSuffix[] = ".gz";

struct IdxFile {
  std::string path;
  std::vector<int64_t> sizes;  // count, then for images rows and columns
  std::vector<uint8_t> bytes;  // what follows the header
};

// Every name that the file may have, the published one first.
std::vector<std::string> FileNames(const char* partition, const Kind& kind) {
  std::vector<std::string> names;
  for (const char* separator : {"-", "."}) {
    for (const char* end : {"", kGzipSuffix}) {
      names.push_back(absl::StrCat(partition, "-", kind.part, separator, kind.suffix, end));
    }
  }
  return names;
}

// Empty when it is not there.
std::string FindFile(const std::string& folder, const char* partition, const Kind& kind) {
  for (const std::string& name : FileNames(partition, kind)) {
    if (IsFile(JoinPath(folder, name))) return JoinPath(folder, name);
  }
  return "";
}

absl::StatusOr<std::vector<uint8_t>> ReadStart(const std::string& path, int64_t bytes) {
  return absl::EndsWith(path, kGzipSuffix) ? ReadGzipStart(path, bytes)
                                           : ReadFileStart(path, bytes);
}

absl::Status CheckSize(const std::string& path, size_t at, const char* what, int64_t size,
                       int64_t largest) {
  if (size >= 1 && size <= largest) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what, " is ", size, " at byte ", at,
                                                 "; allowed are 1 to ", largest));
}

absl::StatusOr<std::vector<int64_t>> ReadHeader(const std::string& path, const Kind& kind) {
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadStart(path, kind.header_bytes()));
  if (static_cast<int64_t>(bytes.size()) < kind.header_bytes()) {
    return absl::DataLossError(absl::StrCat(path, ": ends at byte ", bytes.size(),
                                            " of its header of ", kind.header_bytes()));
  }
  const int64_t magic = BigEndian(bytes, 0, kNumberBytes);
  if (magic != kind.magic) {
    return absl::DataLossError(absl::StrFormat("%s: has 0x%08x at byte 0; %s %s have 0x%08x", path,
                                               magic, kind.suffix, kind.part, kind.magic));
  }
  std::vector<int64_t> sizes;
  for (const char* what : kind.sizes) {
    const size_t at = kNumberBytes * (1 + sizes.size());
    const int64_t largest = sizes.empty() ? kMaxFileBytes : kMaxImageSide;
    sizes.push_back(BigEndian(bytes, at, kNumberBytes));
    MIXFEED_RETURN_IF_ERROR(CheckSize(path, at, what, sizes.back(), largest));
  }
  return sizes;
}

absl::Status CheckLength(const std::string& path, int64_t bytes, int64_t promised) {
  if (bytes == promised) return absl::OkStatus();
  if (bytes > promised) {
    return absl::DataLossError(
        absl::StrCat(path, ": goes on after byte ", promised, ", where its header ends it"));
  }
  return absl::DataLossError(
      absl::StrCat(path, ": ends at byte ", bytes, " of ", promised, " that its header promises"));
}

// The size that a file of `sizes` has by its header.
absl::StatusOr<int64_t> PromisedBytes(const std::string& path, const Kind& kind,
                                      const std::vector<int64_t>& sizes) {
  int64_t promised = 1;  // counts are of 32 bits and sides small, so their product is no overflow
  for (const int64_t size : sizes) promised *= size;
  promised += kind.header_bytes();
  if (promised <= kMaxFileBytes) return promised;
  return absl::InvalidArgumentError(absl::StrCat(path, ": its header promises ", promised,
                                                 " bytes; allowed are up to ", kMaxFileBytes));
}

// The header is read first, so that no more is read or inflated than it promises.
absl::StatusOr<IdxFile> ReadIdxFile(const std::string& folder, const char* partition,
                                    const Kind& kind) {
  IdxFile file{.path = FindFile(folder, partition, kind), .sizes = {}, .bytes = {}};
  if (file.path.empty()) {
    return absl::NotFoundError(absl::StrCat(JoinPath(folder, FileNames(partition, kind)[0]),
                                            ": is missing, also with ", kGzipSuffix));
  }
  MIXFEED_ASSIGN_OR_RETURN(file.sizes, ReadHeader(file.path, kind));
  MIXFEED_ASSIGN_OR_RETURN(const int64_t promised, PromisedBytes(file.path, kind, file.sizes));
  // One more, which must not be there.
  MIXFEED_ASSIGN_OR_RETURN(file.bytes, ReadStart(file.path, promised + 1));
  MIXFEED_RETURN_IF_ERROR(
      CheckLength(file.path, static_cast<int64_t>(file.bytes.size()), promised));
  file.bytes.erase(file.bytes.begin(), file.bytes.begin() + kind.header_bytes());
  return file;
}

// Images with their labels, and their shape.
struct Images {
  std::string path;
  ImageShape shape;
  ImageSet set;
};

absl::StatusOr<Images> ReadImages(const std::string& folder, const char* partition,
                                  int num_classes) {
  MIXFEED_ASSIGN_OR_RETURN(IdxFile images, ReadIdxFile(folder, partition, kImages));
  MIXFEED_ASSIGN_OR_RETURN(const IdxFile labels, ReadIdxFile(folder, partition, kLabels));
  if (labels.sizes[0] != images.sizes[0]) {
    return absl::DataLossError(absl::StrCat(labels.path, ": labels is ", labels.sizes[0],
                                            " at byte ", kNumberBytes, "; ", images.path, " has ",
                                            images.sizes[0], " images"));
  }
  Images read{.path = images.path,
              .shape = {.channels = 1,
                        .height = static_cast<int>(images.sizes[1]),
                        .width = static_cast<int>(images.sizes[2])},
              .set = {.pixels = std::move(images.bytes), .labels = {}}};
  for (const uint8_t label : labels.bytes) {
    const int64_t at = kLabels.header_bytes() + read.set.count();
    MIXFEED_RETURN_IF_ERROR(CheckLabel(labels.path, at, label, {0, num_classes - 1}));
    read.set.labels.push_back(label);
  }
  return read;
}

bool IsFashion(const std::string& folder) {
  const std::string name = FolderName(folder);
  const std::string tells = name == "raw" ? FolderName(JoinPath(folder, "..")) : name;
  return absl::StrContains(absl::AsciiStrToLower(tells), "fashion");
}

absl::StatusOr<std::vector<std::string>> FindClassNames(const std::string& folder) {
  const std::string path = JoinPath(folder, "class_names.txt");
  if (IsFile(path)) return ReadClassNames(path);
  if (IsFashion(folder)) {
    return std::vector<std::string>{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
  }
  return std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
}

bool HasTest(const std::string& folder) {
  return !FindFile(folder, kTest, kImages).empty() || !FindFile(folder, kTest, kLabels).empty();
}

}  // namespace

std::string FindIdxFolder(const std::string& folder) {
  return FindFolder({folder, JoinPath(folder, "raw")}, FileNames(kTrain, kImages));
}

absl::StatusOr<Dataset> ReadIdx(const std::string& folder) {
  Dataset dataset;
  MIXFEED_ASSIGN_OR_RETURN(dataset.class_names, FindClassNames(folder));
  MIXFEED_ASSIGN_OR_RETURN(Images train, ReadImages(folder, kTrain, dataset.num_classes()));
  dataset.shape = train.shape;
  dataset.train = std::move(train.set);
  if (!HasTest(folder)) return dataset;
  MIXFEED_ASSIGN_OR_RETURN(Images test, ReadImages(folder, kTest, dataset.num_classes()));
  if (test.shape != dataset.shape) {
    return absl::DataLossError(absl::StrCat(test.path, ": has images of ", test.shape.height, "x",
                                            test.shape.width, " at byte ", 2 * kNumberBytes,
                                            "; those of training are ", dataset.shape.height, "x",
                                            dataset.shape.width));
  }
  dataset.test = std::move(test.set);
  return dataset;
}

}  // namespace mixfeed
