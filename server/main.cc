#include <pthread.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <csignal>
#include <future>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "server/options.h"
#include "server/server.h"

namespace {

constexpr int kBadUsage = 2;

// SIGTERM and SIGINT. To be made before any other thread. They end the process at once until
// Intercept is called, since there is nothing to drain so far, and again from the second on.
class StopSignal {
 public:
  StopSignal() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);  // here and in all threads to come
    std::thread([this] { Take(); }).detach();
  }

  void Intercept() { intercepts_ = true; }

  // Returns the first signal. After Intercept, once.
  int Wait() { return taken_.get_future().get(); }

 private:
  void Take() {
    int signal = 0;
    sigwait(&signals_, &signal);
    pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
    if (!intercepts_) raise(signal);
    taken_.set_value(signal);
    for (;;) pause();
  }

  sigset_t signals_;
  std::atomic<bool> intercepts_ = false;
  std::promise<int> taken_;
};

int Fail(const absl::Status& status, int code) {
  std::cerr << "mixfeed-server: " << std::string(status.message()) << std::endl;
  return code;
}

int Run(const mixfeed::ServerOptions& options, StopSignal* stop) {
  const absl::StatusOr<std::unique_ptr<mixfeed::Server>> server = mixfeed::Server::Start(options);
  if (!server.ok()) return Fail(server.status(), EXIT_FAILURE);
  stop->Intercept();
  std::cout << "mixfeed-server listening on " << (*server)->address() << std::endl;
  const int signal = stop->Wait();
  spdlog::info("signal {}: draining; send it again to stop at once", signal);
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
  static StopSignal stop;  // its thread may outlive main
  return Run(flags->options, &stop);
}
