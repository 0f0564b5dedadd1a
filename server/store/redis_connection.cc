#include "server/store/redis_connection.h"

#include <hiredis/hiredis.h>
#include <signal.h>

#include <cerrno>
#include <mutex>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

struct FreeReply {
  void operator()(void* reply) const { freeReplyObject(reply); }
};
using RawReply = std::unique_ptr<redisReply, FreeReply>;

// How Redis begins an error, and what it is for us; others are Internal.
struct ErrorCode {
  const char* prefix;
  absl::StatusCode code;
};
constexpr ErrorCode kErrorCodes[] = {
    // It reads its file after a start, runs a script, or takes no writes: all may pass.
    {"LOADING", absl::StatusCode::kUnavailable},
    {"BUSY", absl::StatusCode::kUnavailable},
    {"MISCONF", absl::StatusCode::kUnavailable},
    {"READONLY", absl::StatusCode::kUnavailable},
    {"MASTERDOWN", absl::StatusCode::kUnavailable},
    {"NOREPLICAS", absl::StatusCode::kUnavailable},
    {"OOM", absl::StatusCode::kResourceExhausted},
    {"NOAUTH", absl::StatusCode::kPermissionDenied},
    {"WRONGPASS", absl::StatusCode::kPermissionDenied},
    {"NOPERM", absl::StatusCode::kPermissionDenied},
    {"WRONGTYPE", absl::StatusCode::kDataLoss},
};

timeval ToTimeval(int milliseconds) {
  constexpr long kThousand = 1000;
  return {.tv_sec = milliseconds / kThousand, .tv_usec = (milliseconds % kThousand) * kThousand};
}

// hiredis writes with write(2): a server that is gone would end the process.
void IgnoreSigpipe() {
  static std::once_flag once;
  std::call_once(once, [] { signal(SIGPIPE, SIG_IGN); });
}

RedisReply Convert(const redisReply& raw) {
  RedisReply reply;
  switch (raw.type) {
    case REDIS_REPLY_INTEGER:
      reply.kind = RedisReply::Kind::kInteger;
      reply.integer = raw.integer;
      break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:  // inside of an array; scripts of ours return none
      reply.kind = RedisReply::Kind::kText;
      reply.text.assign(raw.str, static_cast<size_t>(raw.len));
      break;
    case REDIS_REPLY_ARRAY:
      reply.kind = RedisReply::Kind::kArray;
      for (size_t i = 0; i < raw.elements; ++i) reply.elements.push_back(Convert(*raw.element[i]));
      break;
    default:
      break;
  }
  return reply;
}

absl::Status ErrorReply(const std::string& name, const redisReply& raw) {
  const std::string text(raw.str, static_cast<size_t>(raw.len));
  const std::string message = absl::StrCat(name, ": ", text);
  for (const ErrorCode& known : kErrorCodes) {
    if (absl::StartsWith(text, known.prefix)) return {known.code, message};
  }
  return absl::InternalError(message);
}

}  // namespace

void RedisConnection::Free::operator()(redisContext* context) const { redisFree(context); }

RedisConnection::~RedisConnection() = default;

absl::StatusOr<std::unique_ptr<RedisConnection>> RedisConnection::Open(
    const RedisOptions& options) {
  IgnoreSigpipe();
  const RedisAddress& address = options.address;
  redisContext* const context = redisConnectWithTimeout(address.host.c_str(), address.port,
                                                        ToTimeval(options.connect_timeout_ms));
  if (context == nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat(address.Name(), ": no memory to connect"));
  }
  std::unique_ptr<RedisConnection> connection(new RedisConnection(options, context));
  if (context->err != 0) return connection->Lost();
  redisSetTimeout(context, ToTimeval(options.command_timeout_ms));
  redisEnableKeepAlive(context);
  MIXFEED_RETURN_IF_ERROR(connection->Introduce());
  return connection;
}

absl::Status RedisConnection::Introduce() {
  const RedisAddress& address = options_.address;
  if (!address.password.empty()) {
    MIXFEED_RETURN_IF_ERROR(address.user.empty()
                                ? Call({"AUTH", address.password}).status()
                                : Call({"AUTH", address.user, address.password}).status());
  }
  if (address.database == 0) return absl::OkStatus();
  return Call({"SELECT", absl::StrCat(address.database)}).status();
}

absl::Status RedisConnection::Lost() {
  const std::string name = options_.address.Name();
  timed_out_ = context_->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
  if (timed_out_) {
    return absl::UnavailableError(
        absl::StrCat(name, ": no answer for ", options_.command_timeout_ms, " ms"));
  }
  return absl::UnavailableError(absl::StrCat(name, ": ", context_->errstr));
}

absl::StatusOr<RedisReply> RedisConnection::Call(RedisCommand command) {
  std::vector<const char*> parts;
  std::vector<size_t> lengths;
  for (const std::string_view part : command) {
    parts.push_back(part.data());
    lengths.push_back(part.size());
  }
  const RawReply raw(static_cast<redisReply*>(redisCommandArgv(
      context_.get(), static_cast<int>(parts.size()), parts.data(), lengths.data())));
  if (raw == nullptr) return Lost();
  if (raw->type == REDIS_REPLY_ERROR) return ErrorReply(options_.address.Name(), *raw);
  return Convert(*raw);
}

int RedisConnection::file() const { return context_->fd; }

absl::StatusOr<int> RedisConnection::TakeMessages() {
  if (redisBufferRead(context_.get()) != REDIS_OK) return Lost();
  for (int messages = 0;; ++messages) {
    void* reply = nullptr;
    if (redisGetReplyFromReader(context_.get(), &reply) != REDIS_OK) return Lost();
    if (reply == nullptr) return messages;
    const RawReply owner(static_cast<redisReply*>(reply));
  }
}

bool RedisConnection::broken() const { return context_->err != 0; }

}  // namespace mixfeed
