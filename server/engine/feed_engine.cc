#include "server/engine/feed_engine.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "server/engine/engine_impl.h"

namespace mixfeed {
namespace {

absl::Status ValidateOptions(const EngineOptions& options) {
  struct Bound {
    const char* field;
    int64_t value;
    int64_t least;
  };
  const Bound bounds[] = {
      {"render_workers", options.render_workers, 1},
      {"guess_workers", options.guess_workers, 1},
      {"max_credits", options.max_credits, 1},
      {"default_prefetch", options.default_prefetch, 0},
      {"max_prefetch", options.max_prefetch, options.default_prefetch},
      {"max_consumers", options.max_consumers, 1},
      {"max_pending_calls", options.max_pending_calls, 1},
      {"idle_limit_ms", options.idle_limit_ms, 1},
      {"weights_wait_ms", options.weights_wait_ms, 1},
  };
  for (const Bound& bound : bounds) {
    if (bound.value >= bound.least) continue;
    return FieldError(bound.field, absl::StrCat(bound.value),
                      absl::StrCat(bound.least, " and more"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<FeedEngine>> FeedEngine::Start(const EngineOptions& options,
                                                              SlotPool* slots, EncodeFrame encode) {
  MIXFEED_RETURN_IF_ERROR(ValidateOptions(options));
  return std::make_unique<EngineImpl>(options, slots, std::move(encode));
}

}  // namespace mixfeed
