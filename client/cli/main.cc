#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <thread>

#include "client/cli/cli.h"

namespace {

// Ends what is under way, and with nothing to end, or at the second signal, the process.
void HandleSignals(const sigset_t& signals, mixfeed::Cancellation* interrupt) {
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (!interrupt->Cancel()) _exit(mixfeed::kExitInterrupted);
  }
}

}  // namespace

int main(int argc, char** argv) {
  // gRPC logs failed handshakes and the like in lines of its own; our errors say the same in one.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);  // NOLINT(concurrency-mt-unsafe): no threads
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  // Before there are other threads, which inherit the mask.
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  static mixfeed::Cancellation interrupt;  // outlives main: its thread is never joined
  std::thread([signals] { HandleSignals(signals, &interrupt); }).detach();

  const mixfeed::CliOptions options{.terminal = isatty(STDERR_FILENO) == 1,
                                    .interrupt = &interrupt};
  std::ios::sync_with_stdio(false);
  return mixfeed::RunCli({argv + 1, argv + argc}, std::cout, std::cerr, options);
}
