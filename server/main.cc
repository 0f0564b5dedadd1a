#include <pthread.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <iostream>
#include <memory>
#include <string>

#include "server/options.h"
#include "server/server.h"

namespace {

constexpr int kBadUsage = 2;

// Blocks the signals that stop the server, in this thread and all that it will start.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// Waits for the first; a second one then ends the process at once.
void WaitForStop(const sigset_t& signals) {
  int signal = 0;
  sigwait(&signals, &signal);
  spdlog::info("signal {}: draining; send it again to stop at once", signal);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

int Fail(const absl::Status& status, int code) {
  std::cerr << "mixfeed-server: " << std::string(status.message()) << std::endl;
  return code;
}

int Run(const mixfeed::ServerOptions& options) {
  const sigset_t signals = BlockStopSignals();
  const absl::StatusOr<std::unique_ptr<mixfeed::Server>> server = mixfeed::Server::Start(options);
  if (!server.ok()) return Fail(server.status(), EXIT_FAILURE);
  std::cout << "mixfeed-server listening on " << (*server)->address() << std::endl;
  WaitForStop(signals);
  (*server)->Shutdown(options.drain_ms);
  spdlog::info("stopped");
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("mixfeed"));
  const absl::StatusOr<mixfeed::ParsedFlags> flags = mixfeed::ParseFlags(argc, argv);
  if (!flags.ok()) return Fail(flags.status(), kBadUsage);
  if (flags->text) {
    std::cout << *flags->text;
    return EXIT_SUCCESS;
  }
  return Run(flags->options);
}
