#include "augment/guess/model_trial.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/guess/torch_errors.h"
#include "augment/guess/trial_protocol.h"

namespace mixfeed {
namespace {

using Clock = std::chrono::steady_clock;

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() { Close(); }
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  int get() const { return fd_; }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

absl::Status SystemError(const std::string& what, int error) {
  return absl::InternalError(absl::StrCat("model trial: ", what, ": ", strerrordesc_np(error)));
}

// A file in memory, positioned at its beginning. A pipe would need a thread that fills it, and
// could raise SIGPIPE.
absl::StatusOr<FileDescriptor> MemoryFile(const std::string& contents) {
  FileDescriptor file(memfd_create("mixfeed-model", MFD_CLOEXEC));
  if (file.get() < 0) return SystemError("memfd_create", errno);
  for (size_t at = 0; at < contents.size();) {
    const ssize_t written = write(file.get(), contents.data() + at, contents.size() - at);
    if (written < 0 && errno != EINTR) return SystemError("write", errno);
    at += static_cast<size_t>(std::max<ssize_t>(0, written));
  }
  if (lseek(file.get(), 0, SEEK_SET) < 0) return SystemError("lseek", errno);
  return file;
}

// The child: standard input is `input`, standard output `output`, standard error nothing (what a
// model prints in a trial is of no use), signals as for any fresh program, no other open files.
absl::StatusOr<pid_t> Spawn(const ModelTrialOptions& options, int input, int output) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string program = options.program;
  std::string limit = absl::StrCat(options.memory_limit_bytes);
  char* const arguments[] = {program.data(), limit.data(), nullptr};
  pid_t child = 0;
  const int error = posix_spawn(&child, program.c_str(), &actions, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error == 0) return child;
  return absl::FailedPreconditionError(
      absl::StrCat("model trial: cannot start ", program, ": ", strerrordesc_np(error)));
}

// How soon a trial that is to stop notices.
constexpr int64_t kLookAgainMs = 50;

// Reads until the other end is closed. DeadlineExceeded or Cancelled when that came first.
absl::Status ReadToEnd(int fd, const ModelTrialOptions& options, Clock::time_point deadline,
                       std::string* contents) {
  std::array<char, 4096> buffer;
  while (!options.stop.stop_requested()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) {
      return absl::DeadlineExceededError(
          absl::StrCat("its trial took longer than ", options.deadline_ms, " ms"));
    }
    pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
    const auto timeout_ms = static_cast<int>(std::min<int64_t>(left.count(), kLookAgainMs));
    if (poll(&readable, 1, timeout_ms) <= 0) continue;
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got <= 0) return absl::OkStatus();
    contents->append(buffer.data(), static_cast<size_t>(got));
  }
  return absl::CancelledError("its trial was stopped");
}

// Ends the child if it still runs, and says how it ended.
int Reap(pid_t child) {
  // One that has reported closes its output only by ending, mostly before this; one that closed it
  // and runs on has no finding to give, and ends here.
  kill(child, SIGKILL);
  int wait_status = 0;
  while (waitpid(child, &wait_status, 0) < 0 && errno == EINTR) {
  }
  return wait_status;
}

absl::Status DescribeEnd(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    const char* const name = sigdescr_np(signal);
    return absl::FailedPreconditionError(
        absl::StrCat("its trial was ended by signal ", signal, " (", name ? name : "?", ")"));
  }
  return absl::InternalError(absl::StrCat("its trial ended with exit code ",
                                          WEXITSTATUS(wait_status), " and without a finding"));
}

absl::Status ValidateOptions(const ModelTrialOptions& options) {
  if (!options.program.empty() && options.deadline_ms >= 1 && options.memory_limit_bytes >= 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("model trial: program '", options.program, "', deadline_ms ",
                   options.deadline_ms, ", memory_limit_bytes ", options.memory_limit_bytes,
                   "; allowed: a program, a deadline from 1, a limit from 0"));
}

}  // namespace

absl::Status TryModelInChild(const ModelSource& source, const ModelTrialOptions& options) {
  MIXFEED_RETURN_IF_ERROR(ValidateOptions(options));
  const auto deadline = Clock::now() + std::chrono::milliseconds(options.deadline_ms);
  MIXFEED_ASSIGN_OR_RETURN(const FileDescriptor input, MemoryFile(EncodeModelSource(source)));
  std::array<int, 2> pipe_ends;
  if (pipe2(pipe_ends.data(), O_CLOEXEC) != 0) return SystemError("pipe", errno);
  const FileDescriptor from_child(pipe_ends[0]);
  FileDescriptor to_parent(pipe_ends[1]);
  MIXFEED_ASSIGN_OR_RETURN(const pid_t child, Spawn(options, input.get(), to_parent.get()));
  to_parent.Close();
  std::string report;
  const absl::Status read = ReadToEnd(from_child.get(), options, deadline, &report);
  const int wait_status = Reap(child);
  if (!read.ok()) return WithModelName(source.info.name, read);
  const absl::StatusOr<TrialFinding> finding = DecodeFinding(report);
  if (finding.ok()) return finding->status;
  return WithModelName(source.info.name, DescribeEnd(wait_status));
}

}  // namespace mixfeed
