#include "client/cli/signal_thread.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "client/cli/program.h"

namespace mixfeed {
namespace {

constexpr char kDone = 0;
constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};

int write_end = -1;  // of the pipe that signals are written to

void WriteSignal(int signal) {
  const auto byte = static_cast<char>(signal);
  const ssize_t written = write(write_end, &byte, 1);
  static_cast<void>(written);
}

bool IsIgnored(int signal) {
  struct sigaction action = {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

}  // namespace

SignalThread::SignalThread(Cancellation* interrupt) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
  read_end_ = ends[0];
  write_end = ends[1];
  thread_ = std::thread([this, interrupt] { Handle(interrupt); });
  struct sigaction action = {};
  action.sa_handler = WriteSignal;
  action.sa_flags = SA_RESTART;
  for (const int signal : kSignals) {
    if (signal != SIGHUP || !IsIgnored(signal)) sigaction(signal, &action, nullptr);
  }
}

SignalThread::~SignalThread() {
  for (const int signal : kSignals) {
    if (!IsIgnored(signal)) std::signal(signal, SIG_DFL);
  }
  WriteSignal(kDone);
  thread_.join();
  close(read_end_);
  close(write_end);
}

void SignalThread::Handle(Cancellation* interrupt) const {
  char byte = kDone;
  for (;;) {
    if (read(read_end_, &byte, 1) != 1) continue;
    if (byte == kDone) return;
    const bool again = byte == static_cast<char>(SIGHUP) && interrupt->cancelled();
    if (!again && !interrupt->Cancel()) _exit(kExitInterrupted);
  }
}

}  // namespace mixfeed
