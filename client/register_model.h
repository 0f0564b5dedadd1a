#ifndef MIXFEED_CLIENT_REGISTER_MODEL_H_
#define MIXFEED_CLIENT_REGISTER_MODEL_H_

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

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_REGISTER_MODEL_H_
