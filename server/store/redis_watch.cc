#include "server/store/redis_watch.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kFirstPauseMs = 10;
constexpr int kLongestPauseMs = 500;

void Raise(int event) {
  // Fails only where the counter is full: then it is raised.
  [[maybe_unused]] const int result = eventfd_write(event, 1);
}

void Lower(int event) {
  eventfd_t count = 0;
  [[maybe_unused]] const int result = eventfd_read(event, &count);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RedisWatch>> RedisWatch::Start(RedisClient* client,
                                                              std::function<void()> changed) {
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const int stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0 || stop < 0) {
    close(wake);
    close(stop);
    return absl::ResourceExhaustedError(
        absl::StrCat(client->name(), ": no file descriptor left to watch it with"));
  }
  return std::unique_ptr<RedisWatch>(new RedisWatch(client, std::move(changed), wake, stop));
}

RedisWatch::RedisWatch(RedisClient* client, std::function<void()> changed, int wake, int stop)
    : client_(client), changed_(std::move(changed)), wake_(wake), stop_(stop) {
  client_->SetWatch([this] { Raise(wake_); });
  thread_ = std::thread([this] { Run(); });
}

RedisWatch::~RedisWatch() {
  Raise(stop_);
  thread_.join();
  client_->SetWatch(nullptr);
  close(wake_);
  close(stop_);
}

void RedisWatch::Run() {
  int pause_ms = kFirstPauseMs;
  do {
    const Clock::time_point began = Clock::now();
    if (const absl::Status lost = Listen(); !lost.ok()) client_->NoteAway(lost);
    const bool held = Clock::now() - began > std::chrono::milliseconds(kLongestPauseMs);
    pause_ms = held ? kFirstPauseMs : std::min(2 * pause_ms, kLongestPauseMs);
  } while (!WaitForStop(pause_ms));
}

absl::Status RedisWatch::Listen() {
  // From here on it is raised only by what happens after NoteBack.
  Lower(wake_);
  MIXFEED_ASSIGN_OR_RETURN(const std::unique_ptr<RedisConnection> connection, Subscribe());
  client_->NoteBack();
  changed_();
  for (;;) {
    pollfd files[] = {{.fd = connection->file(), .events = POLLIN, .revents = 0},
                      {.fd = wake_, .events = POLLIN, .revents = 0},
                      {.fd = stop_, .events = POLLIN, .revents = 0}};
    if (poll(files, std::size(files), /*timeout=*/-1) < 0) continue;  // a signal
    if (files[1].revents != 0 || files[2].revents != 0) return absl::OkStatus();
    MIXFEED_ASSIGN_OR_RETURN(const int messages, connection->TakeMessages());
    if (messages > 0) changed_();
  }
}

absl::StatusOr<std::unique_ptr<RedisConnection>> RedisWatch::Subscribe() const {
  MIXFEED_ASSIGN_OR_RETURN(std::unique_ptr<RedisConnection> connection,
                           RedisConnection::Open(client_->options()));
  // A server that still reads its file takes subscriptions, but answers this with an error.
  MIXFEED_RETURN_IF_ERROR(connection->Call({"EXISTS", kRedisPrefix}).status());
  MIXFEED_RETURN_IF_ERROR(connection->Call({"SUBSCRIBE", kRedisChannel}).status());
  return connection;
}

bool RedisWatch::WaitForStop(int timeout_ms) {
  pollfd stop{.fd = stop_, .events = POLLIN, .revents = 0};
  return poll(&stop, 1, timeout_ms) > 0;
}

}  // namespace mixfeed
