#ifndef MIXFEED_CLIENT_CONSUMER_STEPS_H_
#define MIXFEED_CLIENT_CONSUMER_STEPS_H_

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/feed_client.h"

namespace mixfeed {

// The steps that a consumer gets: next, next + stride, ...
struct ConsumerSteps {
  uint64_t next = 0;
  uint64_t stride = 1;
};

// InvalidArgument for a rank that is not of the world; StepsOf needs one that is.
inline absl::Status CheckRank(const StreamOptions& options) {
  const uint32_t world = std::max(options.world, 1u);
  if (options.rank < world) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("rank: ", options.rank, " given, must be below the world of ", world));
}

// As OpenStream defines them: under round robin the steps with step mod world == rank, else every
// one; with `repeat` the first again and again.
inline ConsumerSteps StepsOf(const StreamOptions& options) {
  const uint64_t world = options.world == 0 ? 1 : options.world;
  const bool every_step = options.sharing == v1::OpenStream::BROADCAST ||
                          options.sharing == v1::OpenStream::SPLIT || world == 1;
  ConsumerSteps steps{.next = options.from_step, .stride = 1};
  if (!every_step) {
    const uint64_t behind = (options.from_step + world - options.rank) % world;
    steps.next = options.from_step + (world - behind) % world;
    steps.stride = world;
  }
  if (options.repeat) steps.stride = 0;
  return steps;
}

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_CONSUMER_STEPS_H_
