#include "server/store/redis_journal.h"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/base/status_macros.h"
#include "augment/guess/journal_checks.h"
#include "augment/guess/not_yet.h"
#include "server/store/guess_cache.h"
#include "server/store/guess_record.h"

namespace mixfeed {
namespace {

// What a guess takes of Redis' memory besides its record, about: its places in three keys.
constexpr int64_t kRecordOverheadBytes = 750;

// What the scripts share. A script's first argument is the keys' prefix, its second a feed.
constexpr char kJournalLua[] = R"(
local prefix, feed = ARGV[1], ARGV[2]
local function key(kind, of) return prefix .. kind .. ':' .. of end
-- The guess of a step, which may be one of those that the feed was forked from.
local function find(step)
  local of = feed
  while true do
    local guess = redis.call('HGET', key('guesses', of), step)
    if guess then return {'found', guess, of} end
    local row = redis.call('HMGET', key('feed', of), 'dropped', 'parent', 'fork_step')
    if row[1] and step <= row[1] then return {'dropped', row[1]} end
    if not row[2] or row[2] == '' or step >= row[3] then return {'none'} end
    of = row[2]
  end
end
)";

constexpr char kFind[] = "return find(ARGV[3])";

// What retention drops is found out before anything is changed, since the new guess itself may be
// among it.
constexpr char kInsert[] = R"(
local step, record, environment = ARGV[3], ARGV[4], ARGV[5]
local max_steps, max_bytes, max_drops = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local overhead = tonumber(ARGV[9])
local known = find(step)
if known[1] ~= 'none' then return known end
local steps = redis.call('ZCARD', key('steps', feed)) + 1
local bytes = tonumber(redis.call('GET', prefix .. 'bytes') or 0) + 1 + #record + overhead
local drops, dropped_of, gone = {}, {}, {}
-- False where there is none below the new one.
local function drop_lowest(of)
  local at = dropped_of[of] or 0
  local lowest = redis.call('ZRANGE', key('steps', of), at, at)[1]
  if not lowest or (of == feed and step < lowest) then return false end
  dropped_of[of] = at + 1
  gone[lowest .. ':' .. of] = true
  drops[#drops + 1] = {of, lowest}
  bytes = bytes - redis.call('HSTRLEN', key('guesses', of), lowest) - overhead
  return true
end
while steps > max_steps and #drops < max_drops do
  if not drop_lowest(feed) then return {'dropped', step} end
  steps = steps - 1
end
local at = 0
while bytes > max_bytes and #drops < max_drops do
  local oldest = redis.call('ZRANGE', prefix .. 'order', at, at)[1]
  if not oldest then return {'contradiction'} end
  local of = string.sub(oldest, 21)
  if gone[oldest] then
    at = at + 1
  elseif not drop_lowest(of) then
    return {of == feed and 'dropped' or 'contradiction', step}
  end
end
for _, drop in ipairs(drops) do
  redis.call('HDEL', key('guesses', drop[1]), drop[2])
  redis.call('ZREM', key('steps', drop[1]), drop[2])
  redis.call('ZREM', prefix .. 'order', drop[2] .. ':' .. drop[1])
  redis.call('HSET', key('feed', drop[1]), 'dropped', drop[2])
end
local before = redis.call('HGET', key('feed', feed), 'environment')
local changed = before and before ~= environment and '1' or '0'
redis.call('HSET', key('feed', feed), 'environment', environment)
redis.call('HSET', key('guesses', feed), step, changed .. record)
redis.call('ZADD', key('steps', feed), 0, step)
redis.call('ZADD', prefix .. 'order', redis.call('INCR', prefix .. 'sequence'), step .. ':' .. feed)
redis.call('SET', prefix .. 'bytes', string.format('%.0f', bytes))
return {'found', changed .. record, feed}
)";

constexpr char kLast[] = R"(
local below = '+'
while true do
  local highest = redis.call('ZREVRANGEBYLEX', key('steps', feed), below, '-', 'LIMIT', 0, 1)[1]
  if highest then return {'found', redis.call('HGET', key('guesses', feed), highest), feed} end
  local row = redis.call('HMGET', key('feed', feed), 'parent', 'fork_step')
  if not row[1] or row[1] == '' then return {'none'} end
  local limit = '(' .. row[2]
  if below == '+' or limit < below then below = limit end
  feed = row[1]
end
)";

// A feed that others were forked from has a row even before its first guess, so that it can't
// become a fork of theirs.
constexpr char kFork[] = R"(
local step, forked = ARGV[3], ARGV[4]
if redis.call('EXISTS', key('feed', forked)) == 1 then
  local row = redis.call('HMGET', key('feed', forked), 'parent', 'fork_step')
  return {(row[1] == feed and row[2] == step) and 'forked' or 'elsewhere'}
end
redis.call('HSETNX', key('feed', feed), 'parent', '')
redis.call('HSET', key('feed', forked), 'parent', feed, 'fork_step', step)
local environment = redis.call('HGET', key('feed', feed), 'environment')
if environment then redis.call('HSET', key('feed', forked), 'environment', environment) end
return {'forked'}
)";

std::string StepText(int64_t step) { return absl::StrFormat("%019d", step); }

class RedisJournalImpl : public Journal {
 public:
  RedisJournalImpl(const RedisJournalOptions& options, RedisClient* client)
      : options_(options), client_(client), cache_(options.cache_bytes) {}

  absl::StatusOr<std::optional<StepGuess>> Find(const std::string& feed_id, int64_t step) override;
  absl::StatusOr<StepGuess> Insert(const std::string& feed_id, int64_t step,
                                   const StepGuess& guess) override;
  absl::StatusOr<std::optional<std::string>> LastModel(const std::string& feed_id) override;
  absl::Status Fork(const std::string& feed_id, int64_t step,
                    const std::string& forked_id) override;
  bool IsAway() const override { return client_->IsAway(); }

 private:
  // What a script says: a word, and what goes with it.
  struct Answer {
    std::string word;
    std::string value;
    std::string feed;  // that has the value
  };
  absl::StatusOr<Answer> Run(const char* script, std::vector<std::string_view> args) const;
  // Keeps a copy of what was found.
  absl::StatusOr<std::optional<StepGuess>> Read(const std::string& feed_id, int64_t step,
                                                const Answer& answer);
  absl::StatusOr<StepGuess> Decode(const Answer& answer, const std::string& field) const;

  const RedisJournalOptions options_;
  RedisClient* const client_;
  GuessCache cache_;
};

absl::StatusOr<RedisJournalImpl::Answer> RedisJournalImpl::Run(
    const char* script, std::vector<std::string_view> args) const {
  const std::string whole = absl::StrCat(kJournalLua, script);
  std::vector<std::string_view> command = {"EVAL", whole, "0", kRedisPrefix};
  command.insert(command.end(), args.begin(), args.end());
  absl::StatusOr<RedisReply> reply = client_->Call(command);
  if (absl::IsUnavailable(reply.status())) {
    const auto message = reply.status().message();
    return NotYetError({message.data(), message.size()});
  }
  MIXFEED_RETURN_IF_ERROR(reply.status());
  std::vector<RedisReply>& parts = reply->elements;
  if (parts.empty()) return absl::InternalError(absl::StrCat(client_->name(), ": no answer"));
  parts.resize(3);
  return Answer{std::move(parts[0].text), std::move(parts[1].text), std::move(parts[2].text)};
}

absl::StatusOr<std::optional<StepGuess>> RedisJournalImpl::Find(const std::string& feed_id,
                                                                int64_t step) {
  const absl::StatusOr<Answer> answer = Run(kFind, {feed_id, StepText(step)});
  if (IsNotYet(answer.status())) {
    if (std::optional<StepGuess> copy = cache_.Find(feed_id, step)) return copy;
  }
  MIXFEED_RETURN_IF_ERROR(answer.status());
  return Read(feed_id, step, *answer);
}

absl::StatusOr<StepGuess> RedisJournalImpl::Insert(const std::string& feed_id, int64_t step,
                                                   const StepGuess& guess) {
  MIXFEED_RETURN_IF_ERROR(ValidateEntry(feed_id, step, guess));
  const std::string record = EncodeGuess(guess);
  const auto bytes = static_cast<int64_t>(record.size()) + 1 + kRecordOverheadBytes;
  MIXFEED_RETURN_IF_ERROR(CheckGuessBytes(feed_id, step, bytes, options_.max_bytes));
  MIXFEED_ASSIGN_OR_RETURN(
      const Answer answer,
      Run(kInsert, {feed_id, StepText(step), record, guess.environment,
                    absl::StrCat(LimitOr(options_.max_steps_per_feed)),
                    absl::StrCat(LimitOr(options_.max_bytes)), absl::StrCat(kMaxDropsPerInsert),
                    absl::StrCat(kRecordOverheadBytes)}));
  MIXFEED_ASSIGN_OR_RETURN(std::optional<StepGuess> stored, Read(feed_id, step, answer));
  if (stored.has_value()) return *std::move(stored);
  return absl::DataLossError(absl::StrCat(client_->name(), ": the counts in ", kRedisPrefix,
                                          "bytes and ", kRedisPrefix,
                                          "order do not fit the journal's guesses"));
}

absl::StatusOr<std::optional<std::string>> RedisJournalImpl::LastModel(const std::string& feed_id) {
  MIXFEED_ASSIGN_OR_RETURN(const Answer answer, Run(kLast, {feed_id}));
  if (answer.word == "none") return std::nullopt;
  MIXFEED_ASSIGN_OR_RETURN(StepGuess guess, Decode(answer, "the highest step"));
  return std::move(guess.model);
}

absl::Status RedisJournalImpl::Fork(const std::string& feed_id, int64_t step,
                                    const std::string& forked_id) {
  MIXFEED_RETURN_IF_ERROR(ValidateFork(feed_id, step, forked_id));
  MIXFEED_ASSIGN_OR_RETURN(const Answer answer, Run(kFork, {feed_id, StepText(step), forked_id}));
  return answer.word == "forked" ? absl::OkStatus() : ForkedElsewhereError(forked_id);
}

absl::StatusOr<std::optional<StepGuess>> RedisJournalImpl::Read(const std::string& feed_id,
                                                                int64_t step,
                                                                const Answer& answer) {
  if (answer.word == "dropped") {
    int64_t through = 0;
    if (!absl::SimpleAtoi(answer.value, &through)) through = step;
    return StepDroppedError(feed_id, step, through, options_.max_steps_per_feed,
                            options_.max_bytes);
  }
  if (answer.word != "found") return std::nullopt;
  MIXFEED_ASSIGN_OR_RETURN(StepGuess guess, Decode(answer, StepText(step)));
  cache_.Put(feed_id, step, guess);
  return guess;
}

absl::StatusOr<StepGuess> RedisJournalImpl::Decode(const Answer& answer,
                                                   const std::string& field) const {
  const std::string_view value = answer.value;
  const bool flagged = value.starts_with('1');
  std::optional<StepGuess> guess;
  if (flagged || value.starts_with('0')) guess = DecodeGuess(value.substr(1));
  if (!guess.has_value()) {
    return absl::DataLossError(absl::StrCat(client_->name(), ": the guess in key ", kRedisPrefix,
                                            "guesses:", answer.feed, ", field ", field,
                                            ", is damaged"));
  }
  guess->environment_changed = flagged;
  return *std::move(guess);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> RedisJournal::Create(const RedisJournalOptions& options,
                                                              RedisClient* client) {
  MIXFEED_RETURN_IF_ERROR(ValidateLimits(options.max_steps_per_feed, options.max_bytes));
  if (options.cache_bytes < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("journal: cache_bytes is ", options.cache_bytes, "; allowed: at least 0"));
  }
  return std::make_unique<RedisJournalImpl>(options, client);
}

}  // namespace mixfeed
