#ifndef MIXFEED_CLIENT_BATCH_STREAM_H_
#define MIXFEED_CLIENT_BATCH_STREAM_H_

#include <memory>

#include "absl/status/statusor.h"
#include "client/feed_client.h"
#include "client/feed_handle.h"

namespace mixfeed {

// Begins to stream at once. InvalidArgument for options that no server could accept.
absl::StatusOr<std::unique_ptr<BatchStream>> OpenBatchStream(std::shared_ptr<FeedHandle> feed,
                                                             const StreamOptions& options);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_BATCH_STREAM_H_
