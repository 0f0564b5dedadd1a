#include "server/core/state_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

namespace fs = std::filesystem;

constexpr char kLockFile[] = "lock";

absl::Status Unusable(const std::string& path, const std::string& why) {
  return absl::FailedPreconditionError(absl::StrCat("--state-dir ", path, ": ", why));
}

std::string LastError() { return std::system_category().message(errno); }

absl::StatusOr<std::string> MakeTemporary() {
  std::error_code error;
  std::string path = (fs::temp_directory_path(error) / "mixfeed-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) return Unusable(path, LastError());
  return path;
}

// Takes the lock of a directory that is there; close-on-exec, so that no child keeps it.
absl::StatusOr<int> Lock(const std::string& path) {
  const int file = open((path + "/" + kLockFile).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return Unusable(path, absl::StrCat("cannot be written: ", LastError()));
  if (flock(file, LOCK_EX | LOCK_NB) == 0) return file;
  close(file);
  return Unusable(path, "another mixfeed-server uses it; give each server its own");
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateDir>> StateDir::Open(const std::string& path) {
  std::string used = path;
  if (path.empty()) {
    MIXFEED_ASSIGN_OR_RETURN(used, MakeTemporary());
  }
  std::error_code error;
  fs::create_directories(used, error);
  if (error) return Unusable(used, error.message());
  MIXFEED_ASSIGN_OR_RETURN(const int lock, Lock(used));
  return std::unique_ptr<StateDir>(new StateDir(std::move(used), path.empty(), lock));
}

StateDir::StateDir(std::string path, bool temporary, int lock)
    : path_(std::move(path)), temporary_(temporary), lock_(lock) {}

StateDir::~StateDir() {
  std::error_code ignored;
  if (temporary_) fs::remove_all(path_, ignored);
  close(lock_);
}

}  // namespace mixfeed
