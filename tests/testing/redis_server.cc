#include "tests/testing/redis_server.h"

#include <signal.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <utility>

#include "tests/testing/free_port.h"

namespace mixfeed::testing {
namespace {

constexpr char kProgram[] = "/usr/bin/redis-server";
constexpr auto kStartLimit = std::chrono::seconds(60);

}  // namespace

bool RedisServer::IsInstalled() { return std::filesystem::exists(kProgram); }

RedisServer::RedisServer(std::vector<std::string> flags)
    : flags_(std::move(flags)), port_(FreePort()) {
  Start();
}

RedisOptions RedisServer::options() const {
  RedisOptions options;
  options.address.host = "127.0.0.1";
  options.address.port = port_;
  return options;
}

std::string RedisServer::url() const { return "redis://127.0.0.1:" + std::to_string(port_); }

void RedisServer::Kill() { process_->End(SIGKILL); }

void RedisServer::Start() {
  std::vector<std::string> args = {
      "--bind",        "127.0.0.1",     "--port",       std::to_string(port_),
      "--dir",         dir_.path(),     "--appendonly", "yes",
      "--appendfsync", "always",        "--save",       "",
      "--logfile",     dir_.File("log")};
  args.insert(args.end(), flags_.begin(), flags_.end());
  process_ = std::make_unique<ChildProcess>(kProgram, args);
  const auto limit = std::chrono::steady_clock::now() + kStartLimit;
  while (!Answers()) {
    if (std::chrono::steady_clock::now() > limit) {
      std::fprintf(stderr, "%s does not come up on port %d\n", kProgram, port_);
      std::abort();
    }
    std::this_thread::yield();
  }
}

// Also with an error, such as that it wants a password, but for that it is still loading.
bool RedisServer::Answers() const {
  const auto connection = RedisConnection::Open(options());
  return connection.ok() && !absl::IsUnavailable((*connection)->Call({"EXISTS", "x"}).status());
}

RedisReply RedisServer::Ask(std::initializer_list<std::string_view> command) const {
  const auto connection = RedisConnection::Open(options());
  if (!connection.ok()) std::abort();
  const auto reply = (*connection)->Call(command);
  if (!reply.ok()) {
    std::fprintf(stderr, "%s\n", reply.status().ToString().c_str());
    std::abort();
  }
  return *reply;
}

}  // namespace mixfeed::testing
