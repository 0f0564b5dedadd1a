#include "server/store/redis_client.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "augment/base/status_macros.h"

namespace mixfeed {

absl::StatusOr<std::unique_ptr<RedisClient>> RedisClient::Connect(const RedisOptions& options) {
  std::unique_ptr<RedisClient> client(new RedisClient(options));
  // A command that a server answers only when it has read its file and knows who asks.
  MIXFEED_RETURN_IF_ERROR(client->Call({"EXISTS", kRedisPrefix}).status());
  return client;
}

absl::StatusOr<RedisReply> RedisClient::Call(RedisCommand command) {
  bool retry = true;
  absl::StatusOr<RedisReply> reply = CallOnce(command, &retry);
  if (retry) reply = CallOnce(command, &retry);
  if (absl::IsUnavailable(reply.status())) {
    NoteAway(reply.status());
  } else {
    MutexLock lock(&mu_);
    if (lost_ == nullptr) away_ = absl::OkStatus();
  }
  return reply;
}

absl::StatusOr<RedisReply> RedisClient::CallOnce(RedisCommand command, bool* retry) {
  const bool may_retry = std::exchange(*retry, false);
  MIXFEED_ASSIGN_OR_RETURN(Taken taken, Take());
  absl::StatusOr<RedisReply> reply = taken.connection->Call(command);
  // A server that was restarted since has closed the connection: then a new one will do.
  *retry = may_retry && taken.used_before && taken.connection->broken() &&
           !taken.connection->timed_out();
  Return(std::move(taken.connection));
  return reply;
}

absl::StatusOr<RedisClient::Taken> RedisClient::Take() {
  {
    MutexLock lock(&mu_);
    while (in_use_ >= options_.max_connections) returned_.Wait(&mu_);
    if (lost_ != nullptr && !away_.ok()) return away_;
    ++in_use_;
    if (!idle_.empty()) {
      Taken taken{std::move(idle_.back()), true};
      idle_.pop_back();
      return taken;
    }
  }
  absl::StatusOr<std::unique_ptr<RedisConnection>> opened = RedisConnection::Open(options_);
  if (opened.ok()) return Taken{*std::move(opened), false};
  Return(nullptr);
  return opened.status();
}

void RedisClient::Return(std::unique_ptr<RedisConnection> connection) {
  MutexLock lock(&mu_);
  --in_use_;
  returned_.NotifyOne();
  if (connection == nullptr) return;
  if (connection->broken()) {
    idle_.clear();  // of the same age or older
  } else {
    idle_.push_back(std::move(connection));
  }
}

absl::Status RedisClient::Outage() const {
  MutexLock lock(&mu_);
  return away_;
}

void RedisClient::SetWatch(std::function<void()> lost) {
  MutexLock lock(&mu_);
  lost_ = std::move(lost);
}

void RedisClient::NoteAway(const absl::Status& failure) {
  MutexLock lock(&mu_);
  const bool news = away_.ok();
  away_ = failure;
  if (!news) return;
  spdlog::warn("{}", std::string(failure.message()));
  if (lost_ != nullptr) lost_();
}

void RedisClient::NoteBack() {
  MutexLock lock(&mu_);
  if (!away_.ok()) spdlog::info("{} is back", name());
  away_ = absl::OkStatus();
}

}  // namespace mixfeed
