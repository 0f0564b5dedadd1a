#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "client/cli/cli.h"

namespace {

// Takes SIGINT and SIGTERM while it lives, in a thread of its own: the first ends what is under
// way, and with nothing to end, or at the second, the process ends.
class SignalThread {
 public:
  // To be made before there are other threads, which inherit that the signals are blocked.
  explicit SignalThread(mixfeed::Cancellation* interrupt) {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    thread_ = std::thread([this, interrupt] { Handle(interrupt); });
  }
  ~SignalThread() {
    done_ = true;
    // Wakes it: the signal is blocked in all threads, and its sigwait takes it.
    // NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread)
    pthread_kill(thread_.native_handle(), SIGTERM);
    thread_.join();
  }
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;

 private:
  void Handle(mixfeed::Cancellation* interrupt) const {
    for (;;) {
      int signal = 0;
      if (sigwait(&signals_, &signal) != 0) continue;
      if (done_) return;
      if (!interrupt->Cancel()) _exit(mixfeed::kExitInterrupted);
    }
  }

  sigset_t signals_;
  std::atomic<bool> done_ = false;
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
