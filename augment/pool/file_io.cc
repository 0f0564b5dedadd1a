#include "augment/pool/file_io.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "augment/base/memory.h"
#include "augment/base/status_macros.h"

namespace mixfeed {

namespace fs = std::filesystem;

namespace {

absl::StatusOr<int64_t> FileSize(const std::string& path) {
  if (!IsFile(path)) return absl::NotFoundError(absl::StrCat(path, ": no such file"));
  std::error_code error;
  const auto size = static_cast<int64_t>(fs::file_size(path, error));
  if (error) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  return size;
}

// Appends the file's first `size` bytes, or nothing.
absl::Status AppendStart(const std::string& path, int64_t size, std::vector<uint8_t>* bytes) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  const size_t before = bytes->size();
  MIXFEED_RETURN_IF_ERROR(CatchOutOfMemory(path, size, [&] {
    bytes->resize(before + static_cast<size_t>(size));
    return absl::OkStatus();
  }));
  file.read(reinterpret_cast<char*>(bytes->data() + before), size);
  if (file.gcount() == size) return absl::OkStatus();
  bytes->resize(before);
  return absl::DataLossError(absl::StrCat(path, ": ends at byte ", file.gcount(), " of ", size));
}

// Writes next to `path`, calls `finish` with the temporary file's name, and renames it.
absl::Status WriteAside(const std::string& path, const std::string& bytes,
                        const std::function<absl::Status(const std::string&)>& finish) {
  const std::string temporary = absl::StrCat(path, ".tmp-", getpid());
  absl::Status status = WriteWholeFile(temporary, bytes.data(), static_cast<int64_t>(bytes.size()));
  if (status.ok()) status = finish(temporary);
  std::error_code error;
  if (status.ok()) {
    fs::rename(temporary, path, error);
    if (error) status = absl::InternalError(absl::StrCat(path, ": ", error.message()));
  }
  if (!status.ok()) fs::remove(temporary, error);
  return status;
}

}  // namespace

std::string JoinPath(const std::string& folder, const std::string& name) {
  return (fs::path(folder) / name).string();
}

bool IsFolder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool IsFile(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

std::string FolderName(const std::string& path) {
  std::error_code error;
  fs::path whole = fs::absolute(path, error).lexically_normal();
  if (!whole.has_filename()) whole = whole.parent_path();
  return whole.filename().string();
}

std::string FindFolder(const std::vector<std::string>& folders,
                       const std::vector<std::string>& files) {
  const auto holds_one = [&](const std::string& folder) {
    return std::any_of(files.begin(), files.end(),
                       [&](const std::string& file) { return IsFile(JoinPath(folder, file)); });
  };
  const auto found = std::find_if(folders.begin(), folders.end(), holds_one);
  return found == folders.end() ? "" : *found;
}

absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (name[0] != '.') names.push_back(std::move(name));
  }
  if (error) {
    return absl::NotFoundError(absl::StrCat(folder, ": cannot be listed: ", error.message()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<std::vector<uint8_t>> ReadWholeFile(const std::string& path, int64_t max_bytes) {
  std::vector<uint8_t> bytes;
  MIXFEED_RETURN_IF_ERROR(AppendFile(path, max_bytes, &bytes));
  return bytes;
}

absl::Status AppendFile(const std::string& path, int64_t max_bytes, std::vector<uint8_t>* bytes) {
  MIXFEED_ASSIGN_OR_RETURN(const int64_t size, FileSize(path));
  if (size > max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": has ", size, " bytes; allowed are up to ", max_bytes));
  }
  return AppendStart(path, size, bytes);
}

absl::StatusOr<std::vector<uint8_t>> ReadFileStart(const std::string& path, int64_t bytes) {
  MIXFEED_ASSIGN_OR_RETURN(const int64_t size, FileSize(path));
  std::vector<uint8_t> start;
  MIXFEED_RETURN_IF_ERROR(AppendStart(path, std::min(size, bytes), &start));
  return start;
}

absl::StatusOr<std::vector<std::string>> ReadLines(const std::string& path) {
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadWholeFile(path));
  std::istringstream text(std::string(bytes.begin(), bytes.end()));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(std::move(line));
  }
  return lines;
}

absl::Status WriteWholeFile(const std::string& path, const void* data, int64_t bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(static_cast<const char*>(data), bytes);
  file.close();
  if (!file) return absl::InternalError(absl::StrCat(path, ": cannot be written"));
  return absl::OkStatus();
}

absl::Status WriteFileAtomically(const std::string& path, const std::string& text) {
  return WriteAside(path, text, [](const std::string& /*temporary*/) { return absl::OkStatus(); });
}

absl::Status SyncToDisk(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = file >= 0 && fsync(file) == 0;
  if (file >= 0) close(file);
  if (synced) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(path, ": cannot be synced to the disk"));
}

absl::Status WriteFileDurably(const std::string& path, const std::string& bytes) {
  MIXFEED_RETURN_IF_ERROR(WriteAside(path, bytes, SyncToDisk));
  // The rename is on the disk with the folder.
  return SyncToDisk(fs::absolute(path).parent_path().string());
}

}  // namespace mixfeed
