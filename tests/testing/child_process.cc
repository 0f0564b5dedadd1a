#include "tests/testing/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <utility>

namespace mixfeed::testing {
namespace {

constexpr char kFirstLine[] = "mixfeed-server listening on ";

[[noreturn]] void Exec(const std::string& program, const std::vector<std::string>& args, int out) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(out, STDOUT_FILENO);
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  std::perror(argv[0]);
  _exit(127);
}

std::vector<std::string> WithListen(std::vector<std::string> args) {
  if (std::find(args.begin(), args.end(), "--listen") == args.end()) {
    args.insert(args.begin(), {"--listen", "127.0.0.1:0"});
  }
  return args;
}

}  // namespace

ChildProcess::ChildProcess(const std::string& program, const std::vector<std::string>& args) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
  pid_ = fork();
  if (pid_ == 0) Exec(program, args, ends[1]);
  close(ends[1]);
  stdout_ = ends[0];
}

ChildProcess::~ChildProcess() {
  End(SIGKILL);
  close(stdout_);
}

std::string ChildProcess::ReadLine() {
  std::string line;
  char c = 0;
  while (read(stdout_, &c, 1) == 1 && c != '\n') line += c;
  return line;
}

void ChildProcess::Signal(int signal) {
  if (pid_ > 0) kill(pid_, signal);
}

int ChildProcess::End(int signal) {
  if (pid_ <= 0) return 0;
  int status = 0;
  Signal(signal);
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return status;
}

bool ChildProcess::IsRunning() const {
  siginfo_t info = {};  // stays empty while there is nothing to tell
  return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

int64_t ChildProcess::ResidentBytes() const {
  std::ifstream statm("/proc/" + std::to_string(pid_) + "/statm");
  int64_t total_pages = 0;
  int64_t resident_pages = 0;
  statm >> total_pages >> resident_pages;
  return resident_pages * sysconf(_SC_PAGESIZE);
}

ServerProcess::ServerProcess(const std::string& program, std::vector<std::string> args)
    : process_(program, WithListen(std::move(args))) {
  const std::string line = process_.ReadLine();
  if (line.rfind(kFirstLine, 0) != 0) {
    std::fprintf(stderr, "%s did not start; its first line: '%s'\n", program.c_str(), line.c_str());
    std::abort();
  }
  address_ = line.substr(sizeof(kFirstLine) - 1);
}

}  // namespace mixfeed::testing
