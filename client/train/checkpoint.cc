#include "client/train/checkpoint.h"

#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/pool/file_io.h"

namespace mixfeed {
namespace {

constexpr std::string_view kMagic = "MIXFEEDC";
constexpr uint64_t kVersion = 1;
constexpr size_t kVersionAt = 8, kDescriptionBytesAt = 16, kTensorBytesAt = 24, kDigestAt = 32;
constexpr size_t kDigestBytes = 32;
constexpr size_t kHeadBytes = kDigestAt + kDigestBytes;

void AppendNumber(uint64_t value, std::string* bytes) {
  for (int i = 0; i < 8; ++i) bytes->push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t NumberAt(const std::string& bytes, size_t at) {
  uint64_t value = 0;
  for (size_t i = 8; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

// Of all bytes but the digest's own.
std::string DigestOfFile(const std::string& bytes) {
  return DigestOf(absl::StrCat(bytes.substr(0, kDigestAt), bytes.substr(kHeadBytes)));
}

template <typename... Parts>
absl::Status Damaged(const std::string& path, const Parts&... parts) {
  return absl::DataLossError(
      absl::StrCat("checkpoint ", path, ": ", parts..., "; the file is damaged or was cut short"));
}

absl::Status CheckHead(const std::string& path, const std::string& bytes) {
  if (std::string_view(bytes).substr(0, kMagic.size()) != kMagic) {
    return absl::InvalidArgumentError(
        absl::StrCat("checkpoint ", path, ": magic: the first bytes are not ", std::string(kMagic),
                     "; mixfeed-train did not write this file, or it is damaged"));
  }
  if (bytes.size() < kHeadBytes) {
    return Damaged(path, "size: ", bytes.size(), " bytes, at least ", kHeadBytes);
  }
  if (const uint64_t version = NumberAt(bytes, kVersionAt); version != kVersion) {
    return absl::InvalidArgumentError(absl::StrCat("checkpoint ", path, ": version: ", version,
                                                   ", this program reads ", kVersion,
                                                   "; it is of another mixfeed, or damaged"));
  }
  const uint64_t body = bytes.size() - kHeadBytes;
  const uint64_t description = NumberAt(bytes, kDescriptionBytesAt);
  if (description > body) {
    return Damaged(path, "length of the description: ", description, " bytes, the file has ", body,
                   " after its head");
  }
  const uint64_t tensors = NumberAt(bytes, kTensorBytesAt);
  if (tensors == body - description) return absl::OkStatus();
  return Damaged(path, "length of the tensors: ", tensors, " bytes, the file has ",
                 body - description, " for them");
}

}  // namespace

absl::Status WriteCheckpoint(const std::string& path, const std::string& description,
                             const std::string& safetensors) {
  std::string bytes(kMagic);
  AppendNumber(kVersion, &bytes);
  AppendNumber(description.size(), &bytes);
  AppendNumber(safetensors.size(), &bytes);
  bytes.append(kDigestBytes, '0');
  absl::StrAppend(&bytes, description, safetensors);
  bytes.replace(kDigestAt, kDigestBytes, DigestOfFile(bytes));
  return WriteFileDurably(path, bytes);
}

absl::StatusOr<std::string> ReadCheckpointFile(const std::string& path) {
  const absl::StatusOr<std::vector<uint8_t>> bytes = ReadWholeFile(path);
  if (bytes.ok()) return std::string(bytes->begin(), bytes->end());
  return absl::Status(bytes.status().code(),
                      absl::StrCat("checkpoint: ", bytes.status().message()));
}

absl::StatusOr<Checkpoint> ParseCheckpoint(const std::string& path, const std::string& bytes) {
  MIXFEED_RETURN_IF_ERROR(CheckHead(path, bytes));
  const std::string digest = DigestOfFile(bytes);
  const std::string given = bytes.substr(kDigestAt, kDigestBytes);
  if (given != digest) {
    return Damaged(path, "checksum: that of its bytes is ", digest, ", not the one in its head");
  }
  const uint64_t description = NumberAt(bytes, kDescriptionBytesAt);
  absl::StatusOr<StateDict> tensors = StateDict::Parse(bytes.substr(kHeadBytes + description));
  if (!tensors.ok()) return Damaged(path, "tensors: ", std::string(tensors.status().message()));
  return Checkpoint{bytes.substr(kHeadBytes, description), *std::move(tensors)};
}

}  // namespace mixfeed
