#include "server/core/model_store.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "augment/base/status_macros.h"
#include "augment/pool/file_io.h"
#include "augment/weights/state_dict.h"

namespace mixfeed {
namespace {

namespace fs = std::filesystem;

constexpr char kExtension[] = ".model";
constexpr char kWeightsExtension[] = ".safetensors";
constexpr char kEma[] = "-ema-";
constexpr char kDamaged[] = ".damaged";
constexpr char kUnfinished[] = ".tmp-";
constexpr size_t kDigestBytes = 32;
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

std::string FileName(const StoredWeights& weights, bool ema) {
  return absl::StrCat("v", weights.version, "-u", weights.update, ema ? kEma : "-",
                      weights.file(ema).digest, "-", weights.model, kWeightsExtension);
}

// With one of the two files.
std::optional<StoredWeights> ParseWeightsName(const std::string& file) {
  if (!absl::EndsWith(file, kWeightsExtension)) return std::nullopt;
  std::string stem = file.substr(0, file.size() - std::strlen(kWeightsExtension));
  // A name may hold dashes, and this too: only in front of the digest does it say anything.
  const size_t second_dash = stem.find('-', stem.find('-') + 1);
  const bool ema =
      second_dash != stem.npos && stem.compare(second_dash, std::strlen(kEma), kEma) == 0;
  if (ema) stem.replace(second_dash, std::strlen(kEma), "-");
  // The name is all that follows the third dash.
  const std::vector<std::string> parts = absl::StrSplit(stem, absl::MaxSplits('-', 3));
  StoredWeights weights;
  if (parts.size() != 4 || !absl::StartsWith(parts[0], "v") || !absl::StartsWith(parts[1], "u") ||
      !absl::SimpleAtoi(parts[0].substr(1), &weights.version) ||
      !absl::SimpleAtoi(parts[1].substr(1), &weights.update)) {
    return std::nullopt;
  }
  (ema ? weights.ema : weights.pushed).digest = parts[2];
  weights.model = parts[3];
  return weights;
}

// Of a file that was set aside the name that it had.
std::optional<std::string> NameBeforeSetAside(const std::string& file) {
  if (!absl::EndsWith(file, kDamaged)) return std::nullopt;
  return file.substr(0, file.size() - std::strlen(kDamaged));
}

// As WriteFileDurably names a file until it is whole: with ".tmp-" and a number behind its name.
bool IsUnfinished(const std::string& file) {
  const size_t end = file.rfind(kUnfinished);
  if (end == file.npos) return false;
  const std::string name = file.substr(0, end);
  const std::string number = file.substr(end + std::strlen(kUnfinished));
  return (absl::EndsWith(name, kExtension) || absl::EndsWith(name, kWeightsExtension)) &&
         number.find_first_not_of("0123456789") == number.npos;
}

// What a process that was killed in the middle of Put or PutWeights has left: files that are not
// whole, and averages without their weights.
absl::Status RemoveUnfinished(const std::string& directory) {
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<std::string> files, ListFolder(directory));
  std::set<std::pair<std::string, uint64_t>> whole;
  for (const std::string& file : files) {
    const std::optional<StoredWeights> weights = ParseWeightsName(file);
    if (weights && !weights->pushed.digest.empty()) whole.emplace(weights->model, weights->version);
  }
  for (const std::string& file : files) {
    const std::optional<StoredWeights> weights = ParseWeightsName(file);
    std::error_code ignored;
    if (IsUnfinished(file) || (weights && !whole.contains({weights->model, weights->version}))) {
      fs::remove(JoinPath(directory, file), ignored);
    }
  }
  return absl::OkStatus();
}

void SetAside(const std::string& path) {
  std::error_code ignored;
  fs::rename(path, path + kDamaged, ignored);
}

absl::StatusOr<StoredModel> ReadModel(const std::string& path, const FileId& id) {
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadWholeFile(path));
  const absl::StatusOr<StoredModel> model =
      DecodeModel({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, id.name, id.version);
  if (model.ok()) return model;
  SetAside(path);
  return absl::DataLossError(
      absl::StrCat(path, ": ", model.status().message(), "; set aside as *", kDamaged));
}

// Of registrations that are known there is no more to read.
StoredModel KnownModel(const FileId& id) {
  StoredModel model;
  model.version = id.version;
  model.header.set_name(id.name);
  return model;
}

class FileModelStore : public ModelStore {
 public:
  explicit FileModelStore(std::string directory) : directory_(std::move(directory)) {}

  absl::Status Put(const StoredModel& model) override;
  absl::Status PutWeights(const StoredWeights& weights, const std::string& pushed,
                          const std::string& ema) override;
  absl::StatusOr<std::string> ReadWeights(const StoredWeights& weights, bool ema) override;
  void RemoveWeights(const StoredWeights& weights) override;
  absl::StatusOr<std::vector<StoredModel>> ReadAll(
      const std::map<std::string, uint64_t>& known) override;

 private:
  std::string PathOf(const StoredWeights& weights, bool ema) const;

  const std::string directory_;
};

std::string FileModelStore::PathOf(const StoredWeights& weights, bool ema) const {
  return JoinPath(directory_, FileName(weights, ema));
}

absl::Status FileModelStore::Put(const StoredModel& model) {
  const std::string& name = model.header.name();
  const std::string path = JoinPath(directory_, FileName(name, model.version));
  // Older versions go only when the machine may fail without losing the new one.
  MIXFEED_RETURN_IF_ERROR(WriteFileDurably(path, EncodeModel(model)));
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<std::string> files, ListFolder(directory_));
  for (const std::string& file : files) {
    const std::optional<FileId> id = ParseFileName(file);
    const std::optional<StoredWeights> weights = ParseWeightsName(file);
    const bool older = (id && id->name == name && id->version < model.version) ||
                       (weights && weights->model == name && weights->version < model.version);
    std::error_code ignored;
    if (older) fs::remove(JoinPath(directory_, file), ignored);
  }
  return absl::OkStatus();
}

absl::Status FileModelStore::PutWeights(const StoredWeights& weights, const std::string& pushed,
                                        const std::string& ema) {
  // The average first: a version is there when its weights are.
  if (!weights.ema.digest.empty()) {
    MIXFEED_RETURN_IF_ERROR(WriteFileDurably(PathOf(weights, /*ema=*/true), ema));
  }
  return WriteFileDurably(PathOf(weights, /*ema=*/false), pushed);
}

absl::StatusOr<std::string> FileModelStore::ReadWeights(const StoredWeights& weights, bool ema) {
  const std::string path = PathOf(weights, ema);
  const absl::StatusOr<std::vector<uint8_t>> bytes = ReadWholeFile(path);
  if (absl::IsNotFound(bytes.status())) {
    return absl::DataLossError(absl::StrCat(path, ": is not there any more"));
  }
  MIXFEED_RETURN_IF_ERROR(bytes.status());
  std::string text(bytes->begin(), bytes->end());
  if (DigestOf(text) == weights.file(ema).digest) return text;
  SetAside(path);
  return absl::DataLossError(
      absl::StrCat(path, ": its bytes are not those of its digest; set aside as *", kDamaged));
}

void FileModelStore::RemoveWeights(const StoredWeights& weights) {
  std::error_code ignored;
  fs::remove(PathOf(weights, /*ema=*/false), ignored);
  if (!weights.ema.digest.empty()) fs::remove(PathOf(weights, /*ema=*/true), ignored);
}

absl::StatusOr<std::vector<StoredModel>> FileModelStore::ReadAll(
    const std::map<std::string, uint64_t>& known) {
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<std::string> files, ListFolder(directory_));
  std::map<std::string, StoredModel> newest;
  std::vector<FileId> lost;
  for (const std::string& file : files) {
    if (const auto name = NameBeforeSetAside(file)) {
      if (const std::optional<FileId> id = ParseFileName(*name)) lost.push_back(*id);
    }
    const std::optional<FileId> id = ParseFileName(file);
    if (!id) continue;
    const auto of_known = known.find(id->name);
    absl::StatusOr<StoredModel> model = of_known != known.end() && of_known->second == id->version
                                            ? KnownModel(*id)
                                            : ReadModel(JoinPath(directory_, file), *id);
    if (!model.ok()) {
      spdlog::error("a stored model is lost: {}", std::string(model.status().message()));
      lost.push_back(*id);
    } else if (const auto other = newest.find(id->name);
               other == newest.end() || other->second.version < id->version) {
      newest[id->name] = *std::move(model);
    }
  }
  std::map<std::pair<std::string, uint64_t>, StoredWeights> pushed;
  const auto count_version = [&](const std::string& name, uint64_t version) {
    StoredWeights& weights = pushed[{name, version}];
    weights.model = name;
    weights.version = version;
    return &weights;
  };
  for (const FileId& id : lost) {
    const StoredModel& model = newest.try_emplace(id.name, KnownModel(id)).first->second;
    if (id.version > model.version) count_version(id.name, id.version);
  }
  for (const std::string& file : files) {
    const std::optional<std::string> damaged = NameBeforeSetAside(file);
    const std::optional<StoredWeights> weights = ParseWeightsName(damaged.value_or(file));
    const auto model = weights ? newest.find(weights->model) : newest.end();
    if (model == newest.end() || weights->version <= model->second.version) continue;
    StoredWeights* const both = count_version(weights->model, weights->version);
    both->update = weights->update;
    std::error_code error;
    const auto bytes = static_cast<int64_t>(fs::file_size(JoinPath(directory_, file), error));
    if (damaged || error) continue;
    const bool ema = weights->pushed.digest.empty();
    (ema ? both->ema : both->pushed) = {weights->file(ema).digest, bytes};
  }
  for (auto& [id, weights] : pushed) newest[id.first].pushed.push_back(std::move(weights));
  std::vector<StoredModel> models;
  for (auto& [name, model] : newest) models.push_back(std::move(model));
  return models;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ModelStore>> ModelStore::Open(const std::string& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return absl::FailedPreconditionError(absl::StrCat(directory, ": ", error.message()));
  MIXFEED_RETURN_IF_ERROR(RemoveUnfinished(directory));
  return std::make_unique<FileModelStore>(directory);
}

std::string EncodeModel(const StoredModel& model) {
  const std::string header = model.header.SerializeAsString();
  std::string bytes(kDigestBytes, '0');
  bytes.reserve(kDigestBytes + kLengthBytes + header.size() + model.archive.size());
  for (size_t i = 0; i < kLengthBytes; ++i) {
    bytes.push_back(static_cast<char>(header.size() >> (8 * i)));
  }
  absl::StrAppend(&bytes, header, model.archive);
  return bytes.replace(0, kDigestBytes, DigestOf(std::string_view(bytes).substr(kDigestBytes)));
}

absl::StatusOr<StoredModel> DecodeModel(std::string_view bytes, const std::string& name,
                                        uint64_t version) {
  // Version 0.1.0 wrote no digest. Its length is never mistaken for one: read as a length, four hex
  // digits are above 800 MB, more than a header has.
  const bool whole = bytes.size() >= kDigestBytes &&
                     DigestOf(bytes.substr(kDigestBytes)) == bytes.substr(0, kDigestBytes);
  if (whole) bytes.remove_prefix(kDigestBytes);
  size_t header_bytes = 0;
  for (size_t i = 0; i < kLengthBytes && i < bytes.size(); ++i) {
    header_bytes |= size_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  }
  StoredModel model;
  model.version = version;
  if (bytes.size() < kLengthBytes || bytes.size() - kLengthBytes < header_bytes ||
      !model.header.ParseFromArray(bytes.data() + kLengthBytes, static_cast<int>(header_bytes)) ||
      model.header.name() != name) {
    return absl::DataLossError(whole ? "is no stored model"
                                     : "its bytes are not those of its digest");
  }
  model.archive = bytes.substr(kLengthBytes + header_bytes);
  return model;
}

}  // namespace mixfeed
