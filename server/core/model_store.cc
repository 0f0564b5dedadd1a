#include "server/core/model_store.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/pool/file_io.h"

namespace mixfeed {
namespace {

namespace fs = std::filesystem;

constexpr char kExtension[] = ".model";
constexpr size_t kLengthBytes = 4;

// "v7-NAME.model": the version stands first because names may hold dashes and begin with a dot.
std::string FileName(const std::string& name, uint64_t version) {
  return absl::StrCat("v", version, "-", name, kExtension);
}

struct FileId {
  std::string name;
  uint64_t version = 0;
};

std::optional<FileId> ParseFileName(const std::string& file) {
  const size_t dash = file.find('-');
  const size_t end = file.size() - std::min(file.size(), sizeof(kExtension) - 1);
  FileId id;
  if (dash == std::string::npos || dash >= end || file.compare(end, file.npos, kExtension) != 0 ||
      !absl::SimpleAtoi(file.substr(1, dash - 1), &id.version)) {
    return std::nullopt;
  }
  id.name = file.substr(dash + 1, end - dash - 1);
  return id;
}

std::string EncodeModel(const StoredModel& model) {
  const std::string header = model.header.SerializeAsString();
  std::string bytes;
  bytes.reserve(kLengthBytes + header.size() + model.archive.size());
  for (size_t i = 0; i < kLengthBytes; ++i) {
    bytes.push_back(static_cast<char>(header.size() >> (8 * i)));
  }
  return bytes + header + model.archive;
}

absl::StatusOr<StoredModel> ReadModel(const std::string& path, const FileId& id) {
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadWholeFile(path));
  size_t header_bytes = 0;
  for (size_t i = 0; i < kLengthBytes && i < bytes.size(); ++i) {
    header_bytes |= size_t{bytes[i]} << (8 * i);
  }
  StoredModel model;
  model.version = id.version;
  if (bytes.size() < kLengthBytes || bytes.size() - kLengthBytes < header_bytes ||
      !model.header.ParseFromArray(bytes.data() + kLengthBytes, static_cast<int>(header_bytes)) ||
      model.header.name() != id.name) {
    return absl::DataLossError(absl::StrCat(path, ": is no stored model"));
  }
  model.archive.assign(bytes.begin() + static_cast<std::ptrdiff_t>(kLengthBytes + header_bytes),
                       bytes.end());
  return model;
}

// Has the disk hold what was written to a file, or the entries of a folder.
absl::Status Sync(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  if (synced) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(path, ": cannot be synced to the disk"));
}

// What a process that was killed in the middle of Put has left.
absl::Status RemoveTemporaries(const std::string& directory) {
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<std::string> files, ListFolder(directory));
  for (const std::string& file : files) {
    std::error_code ignored;
    if (absl::StrContains(file, absl::StrCat(kExtension, ".tmp-"))) {
      fs::remove(JoinPath(directory, file), ignored);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ModelStore> ModelStore::Open(const std::string& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return absl::FailedPreconditionError(absl::StrCat(directory, ": ", error.message()));
  MIXFEED_RETURN_IF_ERROR(RemoveTemporaries(directory));
  return ModelStore(directory);
}

absl::Status ModelStore::Put(const StoredModel& model) const {
  const std::string& name = model.header.name();
  const std::string path = JoinPath(directory_, FileName(name, model.version));
  MIXFEED_RETURN_IF_ERROR(WriteFileAtomically(path, EncodeModel(model)));
  // The older version goes only when the machine may fail without losing the new one.
  MIXFEED_RETURN_IF_ERROR(Sync(path));
  MIXFEED_RETURN_IF_ERROR(Sync(directory_));
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<std::string> files, ListFolder(directory_));
  for (const std::string& file : files) {
    const std::optional<FileId> id = ParseFileName(file);
    std::error_code ignored;
    if (id && id->name == name && id->version < model.version) {
      fs::remove(JoinPath(directory_, file), ignored);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<StoredModel>> ModelStore::ReadAll() const {
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<std::string> files, ListFolder(directory_));
  std::map<std::string, StoredModel> newest;
  for (const std::string& file : files) {
    const std::optional<FileId> id = ParseFileName(file);
    if (!id) continue;
    absl::StatusOr<StoredModel> model = ReadModel(JoinPath(directory_, file), *id);
    if (!model.ok()) {
      spdlog::warn("a stored model is skipped: {}", std::string(model.status().message()));
    } else if (newest[id->name].version < id->version) {
      newest[id->name] = *std::move(model);
    }
  }
  std::vector<StoredModel> models;
  for (auto& [name, model] : newest) models.push_back(std::move(model));
  return models;
}

}  // namespace mixfeed
