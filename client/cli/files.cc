#include "client/cli/files.h"

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"

namespace mixfeed {

absl::StatusOr<std::string> ReadFile(const std::string& flag, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  if (file && bytes) return bytes.str();
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": cannot read '", path, "', or it is empty"));
}

absl::Status WriteFile(const std::string& flag, const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  file.close();
  if (file) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(flag, ": cannot write '", path, "'"));
}

}  // namespace mixfeed
