#ifndef MIXFEED_CLIENT_UPLOAD_H_
#define MIXFEED_CLIENT_UPLOAD_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/channel.h"
#include "mixfeed/v1/model.pb.h"

namespace mixfeed {

// One RegisterModel call: the header (archive_bytes is filled in), then the archive in chunks. Not
// retried, since every registration makes a version.
absl::StatusOr<v1::RegisterModelResponse> SendModel(Channel* channel,
                                                    v1::RegisterModelHeader header,
                                                    const std::string& archive);

// One PushWeights call: the header (weights_bytes and digest are filled in), then the weights in
// chunks. Not retried: whether a push that broke off has arrived shows in the model's version.
absl::StatusOr<v1::PushWeightsResponse> SendWeights(Channel* channel, v1::PushWeightsHeader header,
                                                    const std::string& safetensors);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_UPLOAD_H_
