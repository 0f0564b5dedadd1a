#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "client/cli/cli.h"

namespace {

int write_end = -1;  // of the pipe that signals are written to

void WriteSignal(int signal) {
  const auto byte = static_cast<char>(signal);
  const ssize_t written = write(write_end, &byte, 1);
  static_cast<void>(written);
}

// Takes SIGINT and SIGTERM while it lives, in a thread of its own: the first ends what is under
// way, and with nothing to end, or at the second, the process ends. By a handler, since libraries
// have started threads before main, which would take a signal that is only blocked in ours.
class SignalThread {
 public:
  explicit SignalThread(mixfeed::Cancellation* interrupt) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
    read_end_ = ends[0];
    write_end = ends[1];
    thread_ = std::thread([this, interrupt] { Handle(interrupt); });
    struct sigaction action = {};
    action.sa_handler = WriteSignal;
    action.sa_flags = SA_RESTART;
    for (const int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
  }
  ~SignalThread() {
    for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, SIG_DFL);
    WriteSignal(kDone);
    thread_.join();
    close(read_end_);
    close(write_end);
  }
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;

 private:
  static constexpr char kDone = 0;

  void Handle(mixfeed::Cancellation* interrupt) const {
    char byte = kDone;
    for (;;) {
      if (read(read_end_, &byte, 1) != 1) continue;
      if (byte == kDone) return;
      if (!interrupt->Cancel()) _exit(mixfeed::kExitInterrupted);
    }
  }

  int read_end_ = -1;
  std::thread thread_;
};

}  // namespace

int main(int argc, char** argv) {
  // gRPC logs failed handshakes and the like in lines of its own; our errors say the same in one.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);  // NOLINT(concurrency-mt-unsafe): no threads
  mixfeed::Cancellation interrupt;
  const SignalThread signals(&interrupt);
  const mixfeed::CliOptions options{.terminal = isatty(STDERR_FILENO) == 1,
                                    .interrupt = &interrupt};
  std::ios::sync_with_stdio(false);
  return mixfeed::RunCli({argv + 1, argv + argc}, std::cout, std::cerr, options);
}
