#ifndef MIXFEED_SERVER_CORE_STATE_DIR_H_
#define MIXFEED_SERVER_CORE_STATE_DIR_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace mixfeed {

// The directory in which a server keeps what survives it; locked against other servers for the
// object's life.
class StateDir {
 public:
  // Creates `path` where it is missing. An empty path means a fresh temporary directory, removed by
  // the destructor. FailedPrecondition: it cannot be made or written, or another server has it.
  static absl::StatusOr<std::unique_ptr<StateDir>> Open(const std::string& path);
  ~StateDir();
  StateDir(const StateDir&) = delete;
  StateDir& operator=(const StateDir&) = delete;

  const std::string& path() const { return path_; }
  bool temporary() const { return temporary_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  StateDir(std::string path, bool temporary, int lock);

  const std::string path_;
  const bool temporary_;
  const int lock_;  // file descriptor; the kernel drops the lock when the process ends
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_STATE_DIR_H_
