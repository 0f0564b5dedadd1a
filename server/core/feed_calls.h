#ifndef MIXFEED_SERVER_CORE_FEED_CALLS_H_
#define MIXFEED_SERVER_CORE_FEED_CALLS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "mixfeed/v1/feed.pb.h"
#include "server/core/core.h"
#include "server/engine/feed_engine.h"

namespace mixfeed {

// What a GetBatch or GetViews request asks of the engine.
struct BatchWish {
  std::string feed_id;
  int64_t step = 0;
  BatchFormat format;
  Share share;
};

// What FeedService answers. Thread safe; the core must outlive it. OpenFeed and CloseFeed may take
// long; the others only look up and check.
class FeedCalls {
 public:
  explicit FeedCalls(const Core* core) : core_(core) {}

  absl::StatusOr<v1::OpenFeedResponse> OpenFeed(const v1::OpenFeedRequest& request) const;
  absl::StatusOr<v1::OpenFeedResponse> ForkRun(const v1::ForkRunRequest& request) const;
  absl::StatusOr<v1::CloseFeedResponse> CloseFeed(const v1::CloseFeedRequest& request) const;

  // Checks a request against its feed and the limits of a message. Errors name the request's field.
  absl::StatusOr<BatchWish> ReadGetBatch(const v1::GetBatchRequest& request) const;
  absl::StatusOr<BatchWish> ReadGetViews(const v1::GetViewsRequest& request) const;
  absl::StatusOr<StreamSpec> ReadOpenStream(const v1::OpenStream& request) const;

 private:
  absl::StatusOr<BatchFormat> ReadFormat(const BatchMaker& maker, const v1::PixelFormat& proto,
                                         const Share& share) const;

  const Core* const core_;
};

// OutOfRange, naming `field`, for a step that the library's signed steps do not reach.
absl::StatusOr<int64_t> StepFromProto(uint64_t step, const char* field = "step");

// Counts of the engine are ints; what is above them is refused by it like anything too large.
int CountFromProto(uint32_t count);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_FEED_CALLS_H_
