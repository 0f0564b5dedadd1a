#ifndef MIXFEED_SERVER_CORE_SPEC_CONVERT_H_
#define MIXFEED_SERVER_CORE_SPEC_CONVERT_H_

#include "absl/status/statusor.h"
#include "augment/recipe/feed_spec.h"
#include "mixfeed/v1/spec.pb.h"

namespace mixfeed {

// The spec that a message means: its preset, then what the message overrides. Fields that are not
// set keep the preset's value, those of the split too; an alpha alone sets beta too; an unset split
// rule is MIXMATCH where the preset's is ALL and a count of labelled images is set. The result has
// passed ValidateFeedSpec, but for the dataset's name, which may be empty. InvalidArgument names
// the message's field, its value and what is allowed.
absl::StatusOr<FeedSpec> SpecFromProto(const v1::FeedSpec& proto);

// The resolved message: every field that a message can set is set. SpecFromProto gives `spec` back.
v1::FeedSpec SpecToProto(const FeedSpec& spec);

v1::Pool PoolToProto(PoolId pool);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_SPEC_CONVERT_H_
