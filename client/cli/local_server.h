#ifndef MIXFEED_CLIENT_CLI_LOCAL_SERVER_H_
#define MIXFEED_CLIENT_CLI_LOCAL_SERVER_H_

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mixfeed {

// A mixfeed-server in a process of its own, on a free port of the loopback address. It is stopped
// with the object, and by the kernel when the thread that started it ends in any way.
class LocalServer {
 public:
  // `args` beside --listen. Returns when the server listens. NotFound: no such program; Unavailable
  // with the server's last words when it ends before it listens.
  static absl::StatusOr<std::unique_ptr<LocalServer>> Start(
      const std::string& program, const std::vector<std::string>& args,
      std::chrono::milliseconds stop_time = std::chrono::seconds(15));
  // Asks it to stop and waits; kills it when it takes longer than `stop_time`.
  ~LocalServer();
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  const std::string& address() const { return address_; }  // HOST:PORT

 private:
  LocalServer(pid_t pid, std::string address, std::chrono::milliseconds stop_time)
      : pid_(pid), address_(std::move(address)), stop_time_(stop_time) {}

  const pid_t pid_;
  const std::string address_;
  const std::chrono::milliseconds stop_time_;
};

// `mixfeed-server` in the folder of the running executable.
std::string SiblingServerProgram();

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_CLI_LOCAL_SERVER_H_
