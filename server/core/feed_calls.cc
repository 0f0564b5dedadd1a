#include "server/core/feed_calls.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "server/core/batch_convert.h"
#include "server/core/batch_limits.h"
#include "server/core/enum_table.h"
#include "server/core/spec_convert.h"

namespace mixfeed {
namespace {

constexpr EnumPair<v1::OpenStream::Sharing, Sharing> kSharings[] = {
    {v1::OpenStream::ROUND_ROBIN, Sharing::kRoundRobin},
    {v1::OpenStream::BROADCAST, Sharing::kBroadcast},
    {v1::OpenStream::SPLIT, Sharing::kSplit},
};

v1::OpenFeedResponse Describe(const OpenedFeed& feed) {
  v1::OpenFeedResponse response;
  response.set_feed_id(feed.id);
  response.set_run(feed.run);
  *response.mutable_spec() = SpecToProto(feed.spec);
  response.set_rows(static_cast<uint32_t>(feed.spec.rows()));
  response.set_classes(static_cast<uint32_t>(feed.dataset->num_classes()));
  *response.mutable_image() = ShapeToProto(feed.dataset->shape);
  if (const auto steps = feed.maker->steps()) response.set_steps(static_cast<uint64_t>(*steps));
  for (const std::string& name : feed.dataset->class_names) response.add_class_names(name);
  const PoolSizes& sizes = feed.sizes;
  response.set_labelled_images(sizes.labelled);
  response.set_unlabelled_images(sizes.unlabelled);
  response.set_validation_images(sizes.validation);
  response.set_images(static_cast<uint32_t>(feed.maker->Images(BatchContent::kViews, {})));
  return response;
}

}  // namespace

int CountFromProto(uint32_t count) {
  constexpr uint32_t kMost = std::numeric_limits<int>::max();
  return static_cast<int>(std::min(count, kMost));
}

absl::StatusOr<int64_t> StepFromProto(uint64_t step, const char* field) {
  constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
  if (step <= kMost) return static_cast<int64_t>(step);
  return absl::OutOfRangeError(absl::StrCat(field, " is ", step, "; allowed: 0..", kMost));
}

absl::StatusOr<v1::OpenFeedResponse> FeedCalls::OpenFeed(const v1::OpenFeedRequest& request) const {
  MIXFEED_ASSIGN_OR_RETURN(const auto feed, core_->feeds()->Open(request.spec(), request.run()));
  return Describe(*feed);
}

absl::StatusOr<v1::OpenFeedResponse> FeedCalls::ForkRun(const v1::ForkRunRequest& request) const {
  MIXFEED_ASSIGN_OR_RETURN(const int64_t step, StepFromProto(request.step()));
  MIXFEED_ASSIGN_OR_RETURN(const auto feed, core_->feeds()->Fork(request.feed_id(), step,
                                                                 request.run(), request.model()));
  return Describe(*feed);
}

absl::StatusOr<v1::CloseFeedResponse> FeedCalls::CloseFeed(
    const v1::CloseFeedRequest& request) const {
  MIXFEED_RETURN_IF_ERROR(core_->feeds()->Close(request.feed_id()));
  return v1::CloseFeedResponse();
}

absl::StatusOr<BatchFormat> FeedCalls::ReadFormat(const BatchMaker& maker,
                                                  const v1::PixelFormat& proto,
                                                  const Share& share) const {
  MIXFEED_ASSIGN_OR_RETURN(const BatchFormat format,
                           FormatFromProto(proto, maker.dataset().shape.channels));
  MIXFEED_RETURN_IF_ERROR(InField("format", maker.CheckFormat(format)));
  MIXFEED_RETURN_IF_ERROR(CheckBatchFits(maker, format, share, core_->slots().max_bytes()));
  return format;
}

absl::StatusOr<BatchWish> FeedCalls::ReadGetBatch(const v1::GetBatchRequest& request) const {
  MIXFEED_ASSIGN_OR_RETURN(const auto feed, core_->feeds()->Find(request.feed_id()));
  BatchWish wish;
  wish.feed_id = feed->id;
  MIXFEED_ASSIGN_OR_RETURN(wish.step, StepFromProto(request.step()));
  const absl::StatusOr<Share> share = ShareFromProto(request.share());
  MIXFEED_RETURN_IF_ERROR(InField("share", share.status()));
  MIXFEED_RETURN_IF_ERROR(InField("share", feed->maker->CheckShare(*share)));
  wish.share = *share;
  MIXFEED_ASSIGN_OR_RETURN(wish.format, ReadFormat(*feed->maker, request.format(), wish.share));
  return wish;
}

absl::StatusOr<BatchWish> FeedCalls::ReadGetViews(const v1::GetViewsRequest& request) const {
  MIXFEED_ASSIGN_OR_RETURN(const auto feed, core_->feeds()->Find(request.feed_id()));
  BatchWish wish;
  wish.feed_id = feed->id;
  MIXFEED_ASSIGN_OR_RETURN(wish.step, StepFromProto(request.step()));
  wish.format = feed->maker->ViewsFormat();
  MIXFEED_RETURN_IF_ERROR(
      CheckBatchFits(*feed->maker, wish.format, wish.share, core_->slots().max_bytes()));
  return wish;
}

absl::StatusOr<StreamSpec> FeedCalls::ReadOpenStream(const v1::OpenStream& request) const {
  MIXFEED_ASSIGN_OR_RETURN(const auto feed, core_->feeds()->Find(request.feed_id()));
  StreamSpec spec;
  spec.feed_id = feed->id;
  MIXFEED_ASSIGN_OR_RETURN(spec.from_step, StepFromProto(request.from_step(), "from_step"));
  MIXFEED_RETURN_IF_ERROR(EnumFromProto("sharing", request.sharing(), kSharings,
                                        v1::OpenStream::Sharing_Name<v1::OpenStream::Sharing>,
                                        &spec.sharing));
  v1::Share share;
  share.set_rank(request.rank());
  share.set_world(request.world());
  MIXFEED_ASSIGN_OR_RETURN(const Share place, ShareFromProto(share));
  spec.rank = place.rank;
  spec.world = place.world;
  const bool split = spec.sharing == Sharing::kSplit;
  if (split) MIXFEED_RETURN_IF_ERROR(feed->maker->CheckShare(place));
  MIXFEED_ASSIGN_OR_RETURN(spec.format,
                           ReadFormat(*feed->maker, request.format(), split ? place : Share{}));
  spec.credits = CountFromProto(request.credits());
  spec.prefetch = CountFromProto(request.prefetch());
  spec.repeat = request.repeat();
  return spec;
}

}  // namespace mixfeed
