#ifndef MIXFEED_CLIENT_FEED_HANDLE_H_
#define MIXFEED_CLIENT_FEED_HANDLE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/buffer_pool.h"
#include "client/channel.h"
#include "client/feed_client.h"

namespace mixfeed {

// What the calls and streams of one open feed share. Thread safe.
class FeedHandle {
 public:
  static absl::StatusOr<std::shared_ptr<FeedHandle>> Open(std::shared_ptr<Channel> control,
                                                          const v1::FeedSpec& spec,
                                                          const std::string& run);

  // Opens the feed again on a server that has forgotten it (it was restarted).
  // FailedPrecondition when it now is another feed, because its dataset changed, or when it was
  // closed through this handle.
  absl::Status Reopen(const CallOptions& call);

  // Channel::Call, for batches on channel() and for messages on the control channel; opens the feed
  // again and repeats the call once when the server does not know it. FailedPrecondition after
  // Close. The request's feed_id is the caller's to fill in.
  absl::Status Call(const std::string& method, const google::protobuf::MessageLite& request,
                    const CallOptions& call, const Channel::ParseResponse& parse);
  absl::Status Call(const std::string& method, const google::protobuf::MessageLite& request,
                    const CallOptions& call, google::protobuf::MessageLite* response);

  absl::Status Close();

  const v1::OpenFeedResponse& info() const { return info_; }
  const std::string& id() const { return info_.feed_id(); }
  // The channel of batches: its message limit is what a batch of this feed can take at most.
  const std::shared_ptr<Channel>& channel() const { return channel_; }
  const std::shared_ptr<BufferPool>& buffers() const { return buffers_; }

 private:
  FeedHandle(std::shared_ptr<Channel> control, std::shared_ptr<Channel> channel,
             v1::OpenFeedResponse info);
  absl::Status CallOpen(const CallOptions& call, const std::function<absl::Status()>& attempt);

  const std::shared_ptr<Channel> control_;
  const std::shared_ptr<Channel> channel_;
  const v1::OpenFeedResponse info_;
  const std::shared_ptr<BufferPool> buffers_;
  std::atomic<bool> closed_ = false;
};

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_FEED_HANDLE_H_
