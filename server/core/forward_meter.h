#ifndef MIXFEED_SERVER_CORE_FORWARD_METER_H_
#define MIXFEED_SERVER_CORE_FORWARD_METER_H_

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "augment/guess/guess_model.h"
#include "server/core/feed_registry.h"

namespace mixfeed {

struct ForwardRate {
  double images_per_second = 0;  // views through the model
  int64_t images = 0;            // in the passes that count
};

// Runs the passes that `feed`, which guesses, asks of `model`, on views of its first steps that
// were rendered before, and nothing else, for about `duration_ms`.
// Cancelled when `stop` says so; else what rendering and the model return.
absl::StatusOr<ForwardRate> MeasureForwardRate(const OpenedFeed& feed, GuessModel* model,
                                               int64_t duration_ms,
                                               const std::function<bool()>& stop);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_FORWARD_METER_H_
