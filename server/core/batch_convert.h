#ifndef MIXFEED_SERVER_CORE_BATCH_CONVERT_H_
#define MIXFEED_SERVER_CORE_BATCH_CONVERT_H_

#include <string>

#include "absl/status/statusor.h"
#include "augment/batch/batch.h"
#include "augment/render/pixel_format.h"
#include "mixfeed/v1/feed.pb.h"

namespace mixfeed {

// What a consumer asks for and gets, between the wire's words and the library's. Errors are
// InvalidArgument and begin with the field's name, from the converted message on ("format.type").

// An error of `status` said of the field `parent`, of which it names a part: "rank is 3" becomes
// "share.rank is 3".
absl::Status InField(const std::string& parent, const absl::Status& status);

absl::StatusOr<BatchFormat> FormatFromProto(const v1::PixelFormat& proto, int channels);

// The normalisation of a `proto` that sets nothing is the named set `otherwise`.
absl::StatusOr<Normalisation> NormalisationFromProto(const v1::Normalisation& proto,
                                                     const std::string& otherwise, int channels);

absl::StatusOr<Share> ShareFromProto(const v1::Share& proto);

absl::StatusOr<ImageShape> ShapeFromProto(const v1::ImageShape& proto);
v1::ImageShape ShapeToProto(const ImageShape& shape);

// The small fields of a batch, and of one of BatchContent::kViews.
v1::BatchHeader HeaderOf(const std::string& feed_id, const Batch& batch);
v1::ViewsHeader ViewsHeaderOf(const std::string& feed_id, const Batch& batch);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_BATCH_CONVERT_H_
