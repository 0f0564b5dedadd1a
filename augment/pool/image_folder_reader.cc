#include "augment/pool/image_folder_reader.h"

#include <algorithm>
#include <limits>
#include <thread>

#include "absl/strings/str_cat.h"
#include "augment/base/memory.h"
#include "augment/base/status_macros.h"
#include "augment/base/thread_pool.h"
#include "augment/pool/class_names.h"
#include "augment/pool/file_io.h"
#include "augment/pool/image_file.h"
#include "augment/pool/image_loop.h"

namespace mixfeed {
namespace {

constexpr int kChannels = 3;

// The entries of one folder, sorted.
struct Listing {
  std::vector<std::string> folders;
  std::vector<std::string> files;
};

absl::StatusOr<Listing> List(const std::string& folder) {
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFolder(folder));
  Listing listing;
  for (const std::string& name : names) {
    (IsFolder(JoinPath(folder, name)) ? listing.folders : listing.files).push_back(name);
  }
  return listing;
}

// The image files of one partition.
struct FileList {
  std::vector<std::string> paths;
  std::vector<int16_t> labels;

  void Add(const std::string& folder, const std::vector<std::string>& names, int16_t label) {
    for (const std::string& name : names) {
      paths.push_back(JoinPath(folder, name));
      labels.push_back(label);
    }
  }
};

absl::Status ListClass(const std::string& folder, int16_t label, FileList* list) {
  MIXFEED_ASSIGN_OR_RETURN(const Listing listing, List(folder));
  if (!listing.folders.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(JoinPath(folder, listing.folders[0]),
                                                   ": is a folder; a class holds images only"));
  }
  if (listing.files.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(folder, ": class has no images"));
  }
  list->Add(folder, listing.files, label);
  return absl::OkStatus();
}

absl::StatusOr<int16_t> FindClass(const std::string& name, const std::string& path,
                                  const std::vector<std::string>& class_names) {
  const auto found = std::lower_bound(class_names.begin(), class_names.end(), name);
  if (found == class_names.end() || *found != name) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is a folder, but no class of the training images"));
  }
  return static_cast<int16_t>(found - class_names.begin());
}

// Lists the partition in `folder`, which has images where there are no classes, else class folders.
absl::StatusOr<FileList> ListPartition(const std::string& folder,
                                       const std::vector<std::string>& class_names) {
  MIXFEED_ASSIGN_OR_RETURN(const Listing listing, List(folder));
  if (listing.files.empty() && listing.folders.empty()) {
    return absl::NotFoundError(absl::StrCat(folder, ": has no images"));
  }
  if (!class_names.empty() && !listing.files.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(JoinPath(folder, listing.files[0]), ": is a file where class folders are"));
  }
  FileList list;
  list.Add(folder, listing.files, kNoLabel);
  for (const std::string& name : listing.folders) {
    const std::string path = JoinPath(folder, name);
    MIXFEED_ASSIGN_OR_RETURN(const int16_t label, FindClass(name, path, class_names));
    MIXFEED_RETURN_IF_ERROR(ListClass(path, label, &list));
  }
  return list;
}

absl::Status CheckBytes(const std::string& folder, size_t files, int64_t image_bytes) {
  if (static_cast<int64_t>(files) <= kMaxImageFolderBytes / image_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(folder, ": has ", files, " images of ",
                                                 image_bytes, " bytes; allowed are up to ",
                                                 kMaxImageFolderBytes, " bytes"));
}

absl::StatusOr<ImageSet> Decode(FileList list, const ImageShape& shape, ThreadPool* threads,
                                ImageProgress* progress) {
  const auto count = static_cast<int64_t>(list.paths.size());
  ImageSet images;
  images.labels = std::move(list.labels);
  MIXFEED_RETURN_IF_ERROR(CatchOutOfMemory("images", count * shape.pixels(), [&] {
    images.pixels.resize(static_cast<size_t>(count * shape.pixels()));
    return absl::OkStatus();
  }));
  MIXFEED_RETURN_IF_ERROR(ForEachImage(count, threads, progress, [&](int64_t i) {
    return ReadImageFile(list.paths[static_cast<size_t>(i)], shape.height,
                         images.pixels.data() + i * shape.pixels());
  }));
  return images;
}

// Where the partitions of `folder` are; `test` is empty without one.
struct Partitions {
  std::string train;
  std::string test;
};

// "train" may be a class, too (beside "plane"): it is a partition where only "test" is beside it.
absl::StatusOr<Partitions> FindPartitions(const std::string& folder) {
  MIXFEED_ASSIGN_OR_RETURN(const Listing listing, List(folder));
  const std::vector<std::string> both = {"test", "train"};
  if (listing.folders == both)
    return Partitions{JoinPath(folder, "train"), JoinPath(folder, "test")};
  if (listing.folders == std::vector<std::string>{"train"}) {
    return Partitions{JoinPath(folder, "train"), ""};
  }
  return Partitions{folder, ""};
}

// All that is read of a folder but the images themselves.
struct FolderContents {
  std::vector<std::string> class_names;
  FileList train;
  FileList test;

  size_t files() const { return train.paths.size() + test.paths.size(); }
};

absl::StatusOr<FolderContents> ListContents(const std::string& folder) {
  MIXFEED_ASSIGN_OR_RETURN(const Partitions partitions, FindPartitions(folder));
  MIXFEED_ASSIGN_OR_RETURN(Listing listing, List(partitions.train));
  constexpr size_t kMaxClasses = std::numeric_limits<int16_t>::max();
  if (listing.folders.size() > kMaxClasses) {
    return absl::InvalidArgumentError(absl::StrCat(partitions.train, ": has ",
                                                   listing.folders.size(),
                                                   " classes; allowed are up to ", kMaxClasses));
  }
  FolderContents contents;
  contents.class_names = std::move(listing.folders);
  MIXFEED_RETURN_IF_ERROR(CheckClassNames(partitions.train, contents.class_names));
  MIXFEED_ASSIGN_OR_RETURN(contents.train, ListPartition(partitions.train, contents.class_names));
  if (!partitions.test.empty()) {
    MIXFEED_ASSIGN_OR_RETURN(contents.test, ListPartition(partitions.test, contents.class_names));
  }
  return contents;
}

}  // namespace

absl::StatusOr<Dataset> ReadImageFolder(const std::string& folder, int side,
                                        const std::function<void(double)>& progress) {
  MIXFEED_ASSIGN_OR_RETURN(FolderContents contents, ListContents(folder));
  Dataset dataset;
  dataset.shape = {.channels = kChannels, .height = side, .width = side};
  dataset.class_names = std::move(contents.class_names);
  MIXFEED_RETURN_IF_ERROR(CheckBytes(folder, contents.files(), dataset.shape.pixels()));

  ThreadPool threads(static_cast<int>(std::max(1U, std::thread::hardware_concurrency())));
  ImageProgress images(progress, static_cast<int64_t>(contents.files()));
  MIXFEED_ASSIGN_OR_RETURN(dataset.train,
                           Decode(std::move(contents.train), dataset.shape, &threads, &images));
  MIXFEED_ASSIGN_OR_RETURN(dataset.test,
                           Decode(std::move(contents.test), dataset.shape, &threads, &images));
  return dataset;
}

}  // namespace mixfeed
