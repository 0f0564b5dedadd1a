#ifndef MIXFEED_CLIENT_LOOK_MODELS_H_
#define MIXFEED_CLIENT_LOOK_MODELS_H_

#include <ostream>
#include <string>

#include "client/look/look.h"
#include "mixfeed/v1/model.pb.h"

namespace mixfeed {

// "3x32x32": channels, height, width.
std::string ImageText(const v1::ImageShape& image);

// One line a model, under a head.
void PrintModels(const google::protobuf::RepeatedPtrField<v1::Model>& models, std::ostream& out);

// The registered models: `mixfeed model list`.
Look LookAtModels(const v1::ListModelsResponse& models);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_LOOK_MODELS_H_
