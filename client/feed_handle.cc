#include "client/feed_handle.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "proto/frame/frame_writer.h"

namespace mixfeed {
namespace {

constexpr char kOpenFeed[] = "/mixfeed.v1.FeedService/OpenFeed";
constexpr char kCloseFeed[] = "/mixfeed.v1.FeedService/CloseFeed";

// Buffers kept for batches to come: one being decoded and a few that the trainer has just freed.
constexpr size_t kIdleBuffers = 4;
// Model names have at most 128 characters; an environment is a line of text.
constexpr size_t kMaxGuessBytes = 4096;

// Reads that take all that has come spare system calls and wake-ups, which are much of what a
// stream on loopback costs. Of 1, 4, 8 and 16 MiB this was the fastest in `mixfeed bench`, and well
// ahead of gRPC's choice; HTTP/2's frame size and gRPC's lookahead made no difference to it.
constexpr int kReadBytes = 8 << 20;

absl::StatusOr<v1::OpenFeedResponse> SendOpen(Channel* control, const v1::FeedSpec& spec,
                                              const std::string& run, const CallOptions& call) {
  v1::OpenFeedRequest request;
  *request.mutable_spec() = spec;
  request.set_run(run);
  v1::OpenFeedResponse response;
  MIXFEED_RETURN_IF_ERROR(control->Call(kOpenFeed, request, call, &response));
  return response;
}

// Of a batch, or a step's images, in the widest pixel type, and 5 % for what is not counted.
size_t MaxBatchBytes(const v1::OpenFeedResponse& feed) {
  const size_t images = std::max(feed.rows(), feed.images());
  const size_t pixels =
      size_t{feed.image().channels()} * feed.image().height() * feed.image().width();
  const size_t bulk = images * (pixels + feed.classes()) * sizeof(float);
  const size_t bytes =
      bulk + MaxFrameOverhead(feed.rows() + images, feed.feed_id().size(), kMaxGuessBytes);
  return bytes + bytes / 20;
}

}  // namespace

FeedHandle::FeedHandle(std::shared_ptr<Channel> control, std::shared_ptr<Channel> channel,
                       v1::OpenFeedResponse info)
    : control_(std::move(control)),
      channel_(std::move(channel)),
      info_(std::move(info)),
      buffers_(std::make_shared<BufferPool>(kIdleBuffers)) {}

absl::StatusOr<std::shared_ptr<FeedHandle>> FeedHandle::Open(std::shared_ptr<Channel> control,
                                                             const v1::FeedSpec& spec,
                                                             const std::string& run) {
  MIXFEED_ASSIGN_OR_RETURN(
      v1::OpenFeedResponse info,
      // A name that the server made would be another at every attempt, so that a retry after a lost
      // answer would open a second feed.
      SendOpen(control.get(), spec, run.empty() ? NewRunName() : run, control->BeginCall()));
  MIXFEED_ASSIGN_OR_RETURN(std::shared_ptr<Channel> channel,
                           Channel::Create(control->options(), {MaxBatchBytes(info), kReadBytes}));
  return std::shared_ptr<FeedHandle>(
      new FeedHandle(std::move(control), std::move(channel), std::move(info)));
}

absl::Status FeedHandle::Reopen(const CallOptions& call) {
  if (closed_) return absl::FailedPreconditionError(absl::StrCat("feed ", id(), " was closed"));
  MIXFEED_ASSIGN_OR_RETURN(const v1::OpenFeedResponse now,
                           SendOpen(control_.get(), info_.spec(), info_.run(), call));
  if (now.feed_id() == id()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "feed ", id(), " cannot go on: the server at ", control_->options().server,
      " now makes another feed, ", now.feed_id(), ", of the same spec and run; has dataset '",
      info_.spec().dataset(), "' changed?"));
}

absl::Status FeedHandle::CallOpen(const CallOptions& call,
                                  const std::function<absl::Status()>& attempt) {
  if (closed_) return absl::FailedPreconditionError(absl::StrCat("feed ", id(), " was closed"));
  const absl::Status status = attempt();
  if (!absl::IsNotFound(status)) return status;
  MIXFEED_RETURN_IF_ERROR(Reopen(call));
  return attempt();
}

absl::Status FeedHandle::Call(const std::string& method,
                              const google::protobuf::MessageLite& request, const CallOptions& call,
                              const Channel::ParseResponse& parse) {
  return CallOpen(call, [&] { return channel_->Call(method, request, call, parse); });
}

absl::Status FeedHandle::Call(const std::string& method,
                              const google::protobuf::MessageLite& request, const CallOptions& call,
                              google::protobuf::MessageLite* response) {
  return CallOpen(call, [&] { return control_->Call(method, request, call, response); });
}

absl::Status FeedHandle::Close() {
  closed_ = true;
  v1::CloseFeedRequest request;
  request.set_feed_id(id());
  v1::CloseFeedResponse response;
  const absl::Status status = control_->Call(kCloseFeed, request, control_->BeginCall(), &response);
  // A server that does not know it, or a retry of a call whose answer was lost: it is closed.
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

}  // namespace mixfeed
