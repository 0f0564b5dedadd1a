#ifndef MIXFEED_CLIENT_PYTHON_NATIVE_SPEC_H_
#define MIXFEED_CLIENT_PYTHON_NATIVE_SPEC_H_

#include <google/protobuf/message.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>

#include "augment/render/pixel_format.h"
#include "client/feed_client.h"

namespace mixfeed::python {

// How one consumer wants a feed's batches: StreamOptions as Python says it. Immutable.
class Consumer {
 public:
  // Raises InvalidArgument, with the name of the argument.
  Consumer(const std::string& dtype, const std::string& layout, const std::string& normalise,
           const std::string& targets, const std::string& sharing, uint32_t rank, uint32_t world,
           uint32_t prefetch, uint32_t server_prefetch);

  StreamOptions From(uint64_t step) const;
  const v1::PixelFormat& format() const { return options_.format; }
  // The format of pixels that are rendered here, of images of `channels` channels. InvalidArgument
  // as the server would say it.
  absl::StatusOr<PixelFormat> RenderFormat(int channels) const;
  // The share of a batch that is asked for by itself.
  v1::Share share() const;

 private:
  StreamOptions options_;
};

// A message in protobuf's JSON form, with the fields' own names and all fields.
std::string JsonOf(const google::protobuf::Message& message);

// A spec that was serialised by build_spec.
v1::FeedSpec ParseSpec(const std::string& bytes);

// Adds the class Consumer and the functions build_spec and setting_names.
void BindSpec(pybind11::module_* module);

}  // namespace mixfeed::python

#endif  // MIXFEED_CLIENT_PYTHON_NATIVE_SPEC_H_
