#ifndef MIXFEED_TESTS_TESTING_CHILD_PROCESS_H_
#define MIXFEED_TESTS_TESTING_CHILD_PROCESS_H_

#include <sys/types.h>
#include <sys/wait.h>

#include <cstdint>
#include <string>
#include <vector>

namespace mixfeed::testing {

// The exit code of a process that ended by itself; -1 for one that a signal ended.
inline int ExitCode(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
}

// A program in a process of its own, whose standard output can be read. Killed with the object, and
// with the test program.
class ChildProcess {
 public:
  ChildProcess(const std::string& program, const std::vector<std::string>& args);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // The next line it prints, without the line end; waits for it. Empty at the end of the output.
  std::string ReadLine();

  void Signal(int signal);

  // Sends `signal` and waits for the process to end; returns its wait status.
  int End(int signal);

  pid_t pid() const { return pid_; }
  bool IsRunning() const;
  int64_t ResidentBytes() const;

 private:
  pid_t pid_ = -1;
  int stdout_ = -1;
};

// A mixfeed-server on a free port of the loopback address. Aborts the test program when the server
// does not come up.
class ServerProcess {
 public:
  // `--listen 127.0.0.1:0` is added to `args` unless it is there.
  ServerProcess(const std::string& program, std::vector<std::string> args);

  const std::string& address() const { return address_; }  // HOST:PORT
  void Signal(int signal) { process_.Signal(signal); }
  int End(int signal) { return process_.End(signal); }
  pid_t pid() const { return process_.pid(); }
  int64_t ResidentBytes() const { return process_.ResidentBytes(); }

 private:
  ChildProcess process_;
  std::string address_;
};

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_TESTING_CHILD_PROCESS_H_
