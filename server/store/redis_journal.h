#ifndef MIXFEED_SERVER_STORE_REDIS_JOURNAL_H_
#define MIXFEED_SERVER_STORE_REDIS_JOURNAL_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "augment/guess/journal.h"
#include "server/store/redis_client.h"

namespace mixfeed {

struct RedisJournalOptions {
  // As JournalOptions'. All that share a journal should give the same.
  int64_t max_steps_per_feed = 0;
  int64_t max_bytes = 0;
  // Memory for copies of guesses that were read or stored, the oldest of which go beyond it.
  int64_t cache_bytes = int64_t{64} << 20;
};

// The journal of guesses in Redis, for servers that share it. Keys, all behind kRedisPrefix, where
// FEED is a feed's id, and a step stands as 19 digits so that texts sort as steps do:
//   guesses:FEED  hash: step -> '1' or '0' (environment_changed), EncodeGuess (guess_record.h)
//   steps:FEED    sorted set of the feed's steps
//   feed:FEED     hash: environment (the latest guess's), dropped (the highest step that was),
//                 parent and fork_step (of a feed that was forked)
//   order         sorted set over all feeds: "STEP:FEED", by the order of insertion
//   sequence      how many guesses were stored; bytes: what those that are kept take
// Each call is one script, which Redis runs alone and writes down as a whole.
//
// Where Redis is away, calls return NotYetError (not_yet.h), which names it; Find gives a copy of
// what this object has read or stored, as long as it is kept. DataLoss names a damaged value's key.
class RedisJournal {
 public:
  // `client` must outlive the journal. InvalidArgument for options out of range.
  static absl::StatusOr<std::unique_ptr<Journal>> Create(const RedisJournalOptions& options,
                                                         RedisClient* client);
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_STORE_REDIS_JOURNAL_H_
