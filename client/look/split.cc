#include "client/look/split.h"

#include <openssl/evp.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace mixfeed {
namespace {

// The form of augment/pool/split.h: a line a list.
std::string ListsText(const v1::GetSplitResponse& split) {
  const std::pair<const char*, const google::protobuf::RepeatedField<uint32_t>*> lists[] = {
      {"labelled", &split.labelled()},
      {"unlabelled", &split.unlabelled()},
      {"validation", &split.validation()},
  };
  std::string text;
  for (const auto& [name, indices] : lists) {
    absl::StrAppend(&text, name, indices->empty() ? "" : " ", absl::StrJoin(*indices, " "), "\n");
  }
  return text;
}

}  // namespace

Look LookAtSplit(const v1::GetSplitResponse& split) {
  return {.text = ListsText(split), .json = ToJson(split)};
}

std::string ChecksumOf(const v1::GetSplitResponse& split) {
  const std::string text = ListsText(split);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  // Fails only without memory, and then the checksum is empty.
  (void)EVP_Digest(text.data(), text.size(), digest, &length, EVP_sha256(), nullptr);
  return absl::BytesToHexString(std::string(reinterpret_cast<const char*>(digest), length));
}

}  // namespace mixfeed
