#ifndef MIXFEED_AUGMENT_POOL_FILE_IO_H_
#define MIXFEED_AUGMENT_POOL_FILE_IO_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mixfeed {

// Largest file that is read whole, unless the reader says less.
inline constexpr int64_t kMaxFileBytes = int64_t{4} << 30;

// Folder and file name joined by a slash.
std::string JoinPath(const std::string& folder, const std::string& name);

bool IsFolder(const std::string& path);
bool IsFile(const std::string& path);  // a regular one, or a link to one

// The last component of `path`, also of "dir/" and ".".
std::string FolderName(const std::string& path);

// The first of `folders` that holds one of `files`; empty when none does.
std::string FindFolder(const std::vector<std::string>& folders,
                       const std::vector<std::string>& files);

// Names of the entries of `folder` that do not begin with a dot, in byte order. NotFound when it
// cannot be listed.
absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& folder);

// A file's bytes. Errors name the file: NotFound (not there, not a regular file, not readable),
// DataLoss (ends early), InvalidArgument (larger than max_bytes), ResourceExhausted (no memory).
absl::StatusOr<std::vector<uint8_t>> ReadWholeFile(const std::string& path,
                                                   int64_t max_bytes = kMaxFileBytes);

// The same, appended to `bytes`, which an error leaves as they were.
absl::Status AppendFile(const std::string& path, int64_t max_bytes, std::vector<uint8_t>* bytes);

// A file's first `bytes` bytes, all of them when it has fewer; errors as ReadWholeFile.
absl::StatusOr<std::vector<uint8_t>> ReadFileStart(const std::string& path, int64_t bytes);

// A text file's lines without line ends; errors as ReadWholeFile.
absl::StatusOr<std::vector<std::string>> ReadLines(const std::string& path);

// Writes a file in place. Internal, with the file's name and the reason, when it cannot.
absl::Status WriteWholeFile(const std::string& path, const void* data, int64_t bytes);

// Writes next to `path`, then renames: readers see the old file or the new one, whole.
absl::Status WriteFileAtomically(const std::string& path, const std::string& text);

// Waits until a file's bytes, or a folder's names, are on the disk. Internal when they cannot be
// brought there.
absl::Status SyncToDisk(const std::string& path);

// As WriteFileAtomically, and the new file outlives the machine's failing once this has returned;
// if it fails before, one of the two is there, whole.
absl::Status WriteFileDurably(const std::string& path, const std::string& bytes);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_FILE_IO_H_
