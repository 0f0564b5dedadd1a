#include "client/cli/local_server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <system_error>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace mixfeed {
namespace {

constexpr std::chrono::milliseconds kPollTime(10);
constexpr char kListening[] = "mixfeed-server listening on ";
constexpr long kLastWords = 2000;  // characters of the server's log in an error

struct CloseFile {
  void operator()(FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<FILE, CloseFile>;

// Of the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void ExecChild(char* const* argv, int output, int log, pid_t parent) {
  sigset_t none;
  sigemptyset(&none);
  // The server would inherit that we take our signals in a thread of their own, and ignore one.
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the child has one thread
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);  // NOLINT(concurrency-mt-unsafe): as above
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(EXIT_FAILURE);  // it died before prctl
  dup2(output, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execv(argv[0], argv);
  _exit(EXIT_FAILURE);
}

std::string FirstLine(FILE* output) {
  char* line = nullptr;
  size_t capacity = 0;
  const ssize_t length = getline(&line, &capacity, output);
  std::string text(line, length > 0 ? static_cast<size_t>(length) : 0);
  std::free(line);
  return std::string(absl::StripSuffix(text, "\n"));
}

std::string LastWords(FILE* log) {
  std::fseek(log, 0, SEEK_END);
  std::fseek(log, std::max(0L, std::ftell(log) - kLastWords), SEEK_SET);
  std::string text(static_cast<size_t>(kLastWords), '\0');
  text.resize(std::fread(text.data(), 1, text.size(), log));
  return text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LocalServer>> LocalServer::Start(
    const std::string& program, const std::vector<std::string>& args,
    std::chrono::milliseconds stop_time) {
  if (access(program.c_str(), X_OK) != 0) {
    return absl::NotFoundError(
        absl::StrCat("no server program at '", program,
                     "'; give --server ADDRESS of a running one, or --server-program FILE"));
  }
  std::vector<std::string> words = {program, "--listen", "127.0.0.1:0"};
  words.insert(words.end(), args.begin(), args.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  int pipe_ends[2];
  const File log(std::tmpfile());
  if (log == nullptr || pipe2(pipe_ends, O_CLOEXEC) != 0) {
    return absl::InternalError("cannot make a pipe or a temporary file for the server's output");
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) ExecChild(argv.data(), pipe_ends[1], fileno(log.get()), parent);
  close(pipe_ends[1]);
  const File output(fdopen(pipe_ends[0], "r"));
  if (pid < 0) return absl::InternalError("cannot start a process for the server");

  const std::string line = FirstLine(output.get());
  std::string address(absl::StripPrefix(line, kListening));
  std::unique_ptr<LocalServer> server(new LocalServer(pid, address, stop_time));
  if (address != line) return server;
  return absl::UnavailableError(
      absl::StrCat("the server did not start: ", line, LastWords(log.get())));
}

LocalServer::~LocalServer() {
  kill(pid_, SIGTERM);
  const auto deadline = std::chrono::steady_clock::now() + stop_time_;
  while (waitpid(pid_, nullptr, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > deadline) kill(pid_, SIGKILL);
    std::this_thread::sleep_for(kPollTime);
  }
}

std::string SiblingServerProgram() {
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return (self.parent_path() / "mixfeed-server").string();
}

}  // namespace mixfeed
