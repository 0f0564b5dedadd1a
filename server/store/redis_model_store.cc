#include "server/store/redis_model_store.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "augment/base/status_macros.h"
#include "augment/guess/not_yet.h"
#include "augment/weights/state_dict.h"

namespace mixfeed {
namespace {

// What the scripts share. A script's arguments are the keys' prefix, the channel, the model's name
// and a version, then its own.
constexpr char kModelsLua[] = R"(
local prefix, channel, name, version = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local model, pushed = prefix .. 'model:' .. name, prefix .. 'pushed:' .. name
local function bytes_of(member) return tonumber(string.match(member, '%d+$') or 0) end
local function forget(member)
  local of = (string.match(member, '^%d+') or '') .. ':' .. name
  redis.call('DEL', prefix .. 'weights:' .. of, prefix .. 'ema:' .. of)
  redis.call('ZREM', pushed, member)
end
local function lost(last)
  return {'lost', last or '', redis.call('ZRANGE', pushed, -1, -1)[1] or ''}
end
)";

// Both scripts answer a repetition of themselves as they did the first time.
constexpr char kPutModel[] = R"(
local registration, digest = ARGV[5], ARGV[6]
local row = redis.call('HMGET', model, 'version', 'last', 'digest')
if row[1] == version and row[2] == version and row[3] == digest then return {'done'} end
local next_version = row[2] and tonumber(row[2]) + 1 or 0
if tonumber(version) ~= next_version then return lost(row[2]) end
for _, member in ipairs(redis.call('ZRANGE', pushed, 0, -1)) do forget(member) end
redis.call('HSET', model, 'version', version, 'last', version, 'registration', registration,
           'digest', digest)
redis.call('SADD', prefix .. 'models', name)
redis.call('PUBLISH', channel, name)
return {'done'}
)";

constexpr char kPutWeights[] = R"(
local member, weights, ema = ARGV[5], ARGV[6], ARGV[7]
local max_pushed, max_bytes = tonumber(ARGV[8]), tonumber(ARGV[9])
local last = redis.call('HGET', model, 'last')
if last == version and redis.call('ZSCORE', pushed, member) then return {'done'} end
if not last or tonumber(version) ~= tonumber(last) + 1 then return lost(last) end
redis.call('SET', prefix .. 'weights:' .. version .. ':' .. name, weights)
if ema ~= '' then redis.call('SET', prefix .. 'ema:' .. version .. ':' .. name, ema) end
redis.call('ZADD', pushed, version, member)
redis.call('HSET', model, 'last', version)
local members, bytes = redis.call('ZRANGE', pushed, 0, -1), 0
for _, kept in ipairs(members) do bytes = bytes + bytes_of(kept) end
local oldest = 1
while oldest < #members and (#members - oldest + 1 > max_pushed or bytes > max_bytes) do
  bytes = bytes - bytes_of(members[oldest])
  forget(members[oldest])
  oldest = oldest + 1
end
redis.call('PUBLISH', channel, name)
return {'done'}
)";

// The registration is left out of the answer where `version` is its.
constexpr char kReadModel[] = R"(
local row = redis.call('HMGET', model, 'version', 'last', 'digest')
local registration = ''
if row[1] ~= version then registration = redis.call('HGET', model, 'registration') end
return {row[1], row[2], row[3], registration, redis.call('ZRANGE', pushed, 0, -1)}
)";

constexpr char kForgetWeights[] = "forget(ARGV[5]) return {'done'}";

std::string WeightsKey(const StoredWeights& weights, bool ema) {
  return absl::StrCat(kRedisPrefix, ema ? "ema:" : "weights:", weights.version, ":", weights.model);
}

constexpr char kNoEma[] = "-";

// "VERSION UPDATE DIGEST BYTES EMA_DIGEST EMA_BYTES SUM_OF_BYTES": what the scripts read stands
// first and last.
std::string MemberOf(const StoredWeights& weights) {
  const StoredFile& pushed = weights.pushed;
  const StoredFile& ema = weights.ema;
  return absl::StrCat(weights.version, " ", weights.update, " ", pushed.digest, " ", pushed.bytes,
                      " ", ema.digest.empty() ? kNoEma : ema.digest, " ", ema.bytes, " ",
                      pushed.bytes + ema.bytes);
}

std::optional<StoredWeights> ParseMember(const std::string& member, const std::string& model) {
  const std::vector<std::string> parts = absl::StrSplit(member, ' ');
  StoredWeights weights;
  if (parts.size() != 7 || !absl::SimpleAtoi(parts[0], &weights.version) ||
      !absl::SimpleAtoi(parts[1], &weights.update) ||
      !absl::SimpleAtoi(parts[3], &weights.pushed.bytes) ||
      !absl::SimpleAtoi(parts[5], &weights.ema.bytes)) {
    return std::nullopt;
  }
  weights.model = model;
  weights.pushed.digest = parts[2];
  if (parts[4] != kNoEma) weights.ema.digest = parts[4];
  return weights;
}

class RedisModelStore : public ModelStore {
 public:
  RedisModelStore(const RedisModelLimits& limits, RedisClient* client)
      : limits_(limits), client_(client) {}

  absl::Status Put(const StoredModel& model) override;
  absl::Status PutWeights(const StoredWeights& weights, const std::string& pushed,
                          const std::string& ema) override;
  absl::StatusOr<std::string> ReadWeights(const StoredWeights& weights, bool ema) override;
  void RemoveWeights(const StoredWeights& weights) override;
  absl::StatusOr<std::vector<StoredModel>> ReadAll(
      const std::map<std::string, uint64_t>& known) override;

 private:
  absl::StatusOr<std::vector<RedisReply>> Run(const char* script, const std::string& name,
                                              const std::string& version,
                                              std::vector<std::string_view> args) const;
  absl::StatusOr<StoredModel> ReadOne(const std::string& name, const std::string& known) const;
  absl::Status Damaged(const std::string& key) const;

  const RedisModelLimits limits_;
  RedisClient* const client_;
};

absl::StatusOr<std::vector<RedisReply>> RedisModelStore::Run(
    const char* script, const std::string& name, const std::string& version,
    std::vector<std::string_view> args) const {
  const std::string whole = absl::StrCat(kModelsLua, script);
  std::vector<std::string_view> command = {"EVAL",        whole, "0",    kRedisPrefix,
                                           kRedisChannel, name,  version};
  command.insert(command.end(), args.begin(), args.end());
  MIXFEED_ASSIGN_OR_RETURN(RedisReply reply, client_->Call(command));
  if (!reply.elements.empty()) return std::move(reply.elements);
  return absl::InternalError(absl::StrCat(client_->name(), ": no answer"));
}

absl::Status RedisModelStore::Put(const StoredModel& model) {
  const std::string& name = model.header.name();
  const std::string registration = EncodeModel(model);
  MIXFEED_ASSIGN_OR_RETURN(
      const std::vector<RedisReply> answer,
      Run(kPutModel, name, absl::StrCat(model.version), {registration, DigestOf(registration)}));
  if (answer[0].text == "done") return absl::OkStatus();
  const std::string& last = answer.at(1).text;
  return absl::AbortedError(absl::StrCat(
      "model \"", name, "\" was registered or pushed to through another server meanwhile: in ",
      client_->name(), " its newest version is ", last.empty() ? "none" : last,
      ", so this one can't be ", model.version, "; register it again"));
}

absl::Status RedisModelStore::PutWeights(const StoredWeights& weights, const std::string& pushed,
                                         const std::string& ema) {
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<RedisReply> answer,
                           Run(kPutWeights, weights.model, absl::StrCat(weights.version),
                               {MemberOf(weights), pushed, ema, absl::StrCat(limits_.pushed),
                                absl::StrCat(limits_.bytes)}));
  if (answer[0].text == "done") return absl::OkStatus();
  const std::string& last = answer.at(1).text;
  if (last.empty()) {
    return absl::AbortedError(absl::StrCat("model \"", weights.model, "\" is not registered in ",
                                           client_->name(), " any more; register it again"));
  }
  const std::optional<StoredWeights> newest = ParseMember(answer.at(2).text, weights.model);
  return absl::AbortedError(
      absl::StrCat("header.replaces: version ", weights.version, " of model \"", weights.model,
                   "\" came through another server; the newest version is ", last,
                   newest.has_value() ? absl::StrCat(", of update ", newest->update) : "",
                   ": another trainer pushes to it, or an earlier push of this one has arrived"));
}

absl::StatusOr<std::string> RedisModelStore::ReadWeights(const StoredWeights& weights, bool ema) {
  const std::string key = WeightsKey(weights, ema);
  absl::StatusOr<RedisReply> reply = client_->Call({"GET", key});
  if (absl::IsUnavailable(reply.status())) {
    const auto message = reply.status().message();
    return NotYetError({message.data(), message.size()});
  }
  MIXFEED_RETURN_IF_ERROR(reply.status());
  if (reply->kind == RedisReply::Kind::kNil) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the weights of update ", weights.update, " of model \"", weights.model, "\", version ",
        weights.version, ", are no longer kept (--keep-versions): ", client_->name(),
        " has no key ", key));
  }
  if (DigestOf(reply->text) == weights.file(ema).digest) return std::move(reply->text);
  return Damaged(key);
}

void RedisModelStore::RemoveWeights(const StoredWeights& weights) {
  const auto answer = Run(kForgetWeights, weights.model, "", {MemberOf(weights)});
  if (!answer.ok()) spdlog::warn("{}", std::string(answer.status().message()));
}

absl::StatusOr<std::vector<StoredModel>> RedisModelStore::ReadAll(
    const std::map<std::string, uint64_t>& known) {
  MIXFEED_ASSIGN_OR_RETURN(const RedisReply reply,
                           client_->Call({"SMEMBERS", absl::StrCat(kRedisPrefix, "models")}));
  std::vector<StoredModel> models;
  for (const RedisReply& name : reply.elements) {
    const auto version = known.find(name.text);
    absl::StatusOr<StoredModel> model =
        ReadOne(name.text, version == known.end() ? "" : absl::StrCat(version->second));
    if (model.ok()) {
      models.push_back(*std::move(model));
    } else if (absl::IsDataLoss(model.status())) {
      spdlog::warn("a stored model is skipped: {}", std::string(model.status().message()));
    } else {
      return model.status();
    }
  }
  std::sort(models.begin(), models.end(), [](const StoredModel& a, const StoredModel& b) {
    return a.header.name() < b.header.name();
  });
  return models;
}

absl::StatusOr<StoredModel> RedisModelStore::ReadOne(const std::string& name,
                                                     const std::string& known) const {
  const std::string key = absl::StrCat(kRedisPrefix, "model:", name);
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<RedisReply> answer, Run(kReadModel, name, known, {}));
  uint64_t version = 0, last = 0;
  if (answer.size() != 5 || !absl::SimpleAtoi(answer[1].text, &last)) return Damaged(key);
  const bool numbered = absl::SimpleAtoi(answer[0].text, &version);
  const std::string& registration = answer[3].text;
  StoredModel model;
  model.version = numbered ? version : last;
  model.header.set_name(name);
  if (answer[0].text != known) {
    absl::StatusOr<StoredModel> whole = Damaged(key);
    if (numbered && DigestOf(registration) == answer[2].text) {
      whole = DecodeModel(registration, name, version);
    }
    if (whole.ok()) {
      model = *std::move(whole);
    } else {
      spdlog::error("a stored model is lost: {}", std::string(whole.status().message()));
    }
  }
  for (const RedisReply& member : answer[4].elements) {
    std::optional<StoredWeights> weights = ParseMember(member.text, name);
    if (weights.has_value()) {
      model.pushed.push_back(*std::move(weights));
    } else {
      spdlog::warn("{}: the member \"{}\" of key {}pushed:{} is damaged; its weights are left out",
                   client_->name(), member.text, kRedisPrefix, name);
    }
  }
  if (last > std::max(model.version, model.pushed.empty() ? 0 : model.pushed.back().version)) {
    StoredWeights lost;
    lost.model = name;
    lost.version = last;
    model.pushed.push_back(std::move(lost));
  }
  return model;
}

absl::Status RedisModelStore::Damaged(const std::string& key) const {
  return absl::DataLossError(
      absl::StrCat(client_->name(), ": the value of key ", key, " is damaged"));
}

}  // namespace

std::unique_ptr<ModelStore> MakeRedisModelStore(const RedisModelLimits& limits,
                                                RedisClient* client) {
  return std::make_unique<RedisModelStore>(limits, client);
}

}  // namespace mixfeed
