#include <fcntl.h>
#include <malloc.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "server/options.h"
#include "server/server.h"

namespace {

constexpr int kBadUsage = 2;

int write_end = -1;  // of the pipe that a signal is written to

void WriteSignal(int signal) {
  const auto byte = static_cast<char>(signal);
  const ssize_t written = write(write_end, &byte, 1);
  static_cast<void>(written);
}

// From now on the first SIGTERM or SIGINT can be read from the file descriptor that is returned, a
// byte with its number. Before, and from the second on, they end the process at once: there is
// nothing to drain yet, or no time for it. A handler, since libraries have started threads before
// main, which would take a signal that is only blocked in ours.
int InterceptStopSignals() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
  write_end = ends[1];
  struct sigaction action = {};
  action.sa_handler = WriteSignal;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  for (const int signal : {SIGTERM, SIGINT}) sigaction(signal, &action, nullptr);
  return ends[0];
}

// Waits for the first of them, and gives both their usual meaning again.
int WaitForStop(int read_end) {
  char signal = 0;
  while (read(read_end, &signal, 1) < 0 && errno == EINTR) {
  }
  for (const int other : {SIGTERM, SIGINT}) std::signal(other, SIG_DFL);
  return signal;
}

// Forward passes and pushes take and give back buffers of megabytes all the time. By default glibc
// hands them back to the kernel, and every page is faulted in and cleared again: a sixth of the
// time of a pass of the larger network, and milliseconds of a push.
void KeepFreedMemory() {
  // NOLINTBEGIN(concurrency-mt-unsafe): the first thing that main does.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
  mallopt(M_TOP_PAD, 64 << 20);
  // NOLINTEND(concurrency-mt-unsafe)
}

int Fail(const absl::Status& status, int code) {
  std::cerr << "mixfeed-server: " << std::string(status.message()) << std::endl;
  return code;
}

int Run(const mixfeed::ServerOptions& options) {
  const absl::StatusOr<std::unique_ptr<mixfeed::Server>> server = mixfeed::Server::Start(options);
  if (!server.ok()) return Fail(server.status(), EXIT_FAILURE);
  const int stop = InterceptStopSignals();
  std::cout << "mixfeed-server listening on " << (*server)->address() << std::endl;
  const int signal = WaitForStop(stop);
  spdlog::info("signal {}: draining; send it again to stop at once", signal);
  (*server)->Shutdown(options.drain_ms);
  spdlog::info("stopped");
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  KeepFreedMemory();
  spdlog::set_default_logger(spdlog::stderr_color_mt("mixfeed"));
  const absl::StatusOr<mixfeed::ParsedFlags> flags = mixfeed::ParseFlags(argc, argv);
  if (!flags.ok()) return Fail(flags.status(), kBadUsage);
  if (flags->text) {
    std::cout << *flags->text;
    return EXIT_SUCCESS;
  }
  return Run(flags->options);
}
