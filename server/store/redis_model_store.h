#ifndef MIXFEED_SERVER_STORE_REDIS_MODEL_STORE_H_
#define MIXFEED_SERVER_STORE_REDIS_MODEL_STORE_H_

#include <cstdint>
#include <memory>

#include "server/core/model_store.h"
#include "server/store/redis_client.h"

namespace mixfeed {

// How many of the weights that were pushed to a model are kept; the newest always are.
struct RedisModelLimits {
  int64_t pushed = 256;
  int64_t bytes = int64_t{4} << 30;
};

// The models of servers that share them through Redis. Keys, all behind kRedisPrefix:
//   models               set of the models' names
//   model:NAME           hash: version (of the registration), last (the newest version of the
//                        name), registration (EncodeModel), digest (DigestOf that)
//   pushed:NAME          sorted set, by the version: "VERSION UPDATE DIGEST BYTES EMA_DIGEST
//                        EMA_BYTES SUM_OF_BYTES", EMA_DIGEST "-" where no average is kept
//   weights:VERSION:NAME the bytes of weights that were pushed
//   ema:VERSION:NAME     the bytes of their average, of models that keep one
// Each change is one script, which Redis runs alone and writes down as a whole; it also drops what
// is beyond the limits, and tells the others on kRedisChannel. A value has at most 512 MiB, Redis'
// own limit. Errors: Unavailable, which names Redis, where it is away; DataLoss names the key.
// `client` must outlive the store. Thread safe.
std::unique_ptr<ModelStore> MakeRedisModelStore(const RedisModelLimits& limits,
                                                RedisClient* client);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_STORE_REDIS_MODEL_STORE_H_
