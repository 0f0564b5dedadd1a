#include "client/cli/files.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

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

absl::Status CheckWritable(const std::string& flag, const std::string& path) {
  std::string wrong = "is a folder";
  std::error_code not_there;
  if (!std::filesystem::is_directory(path, not_there)) {
    const bool there = access(path.c_str(), F_OK) == 0;
    const std::string folder = std::filesystem::absolute(path).parent_path();
    if (access(there ? path.c_str() : folder.c_str(), there ? W_OK : W_OK | X_OK) == 0) {
      return absl::OkStatus();
    }
    wrong = absl::StrCat(there ? "" : "its folder: ", std::generic_category().message(errno));
  }
  return absl::InvalidArgumentError(absl::StrCat(flag, ": cannot write '", path, "': ", wrong));
}

}  // namespace mixfeed
