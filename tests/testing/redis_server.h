#ifndef MIXFEED_TESTS_TESTING_REDIS_SERVER_H_
#define MIXFEED_TESTS_TESTING_REDIS_SERVER_H_

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/store/redis_connection.h"
#include "tests/testing/child_process.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed::testing {

// A redis-server on a free port of the loopback address, with a folder of its own, that keeps
// whatever it has acknowledged. Killed with the object. Aborts the test program when it does not
// come up.
class RedisServer {
 public:
  // Where there is none, tests skip.
  static bool IsInstalled();

  explicit RedisServer(std::vector<std::string> flags = {});
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  RedisOptions options() const;
  std::string name() const { return options().address.Name(); }
  std::string url() const;

  // Sends SIGKILL and waits for its end.
  void Kill();
  // Starts it again on the same port with what it kept; returns when it answers.
  void Start();
  void Signal(int signal) { process_->Signal(signal); }

  // Asks it behind everybody's back.
  RedisReply Ask(std::initializer_list<std::string_view> command) const;

 private:
  bool Answers() const;

  const TempDir dir_;
  const std::vector<std::string> flags_;
  const int port_;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_TESTING_REDIS_SERVER_H_
