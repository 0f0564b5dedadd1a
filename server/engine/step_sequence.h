#ifndef MIXFEED_SERVER_ENGINE_STEP_SEQUENCE_H_
#define MIXFEED_SERVER_ENGINE_STEP_SEQUENCE_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "server/engine/feed_engine.h"

namespace mixfeed {

// The steps that one consumer gets, in order.
class StepSequence {
 public:
  // The steps of `spec` in a feed of `steps` steps (nullopt: without end). May be empty: a rank to
  // which nothing is left. OutOfRange when from_step is no step of the feed.
  static absl::StatusOr<StepSequence> Create(const StreamSpec& spec, std::optional<int64_t> steps);

  // `step` alone. OutOfRange as above.
  static absl::StatusOr<StepSequence> Single(int64_t step, std::optional<int64_t> steps);

  bool done() const { return next_ >= end_; }

  // The next step, after which the sequence goes on. Not when done.
  int64_t Take();

 private:
  StepSequence(int64_t next, int64_t stride, int64_t end)
      : next_(next), stride_(stride), end_(end) {}

  int64_t next_;
  int64_t stride_;
  int64_t end_;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_ENGINE_STEP_SEQUENCE_H_
