#ifndef MIXFEED_TESTS_TESTING_NET_MODEL_H_
#define MIXFEED_TESTS_TESTING_NET_MODEL_H_

#include <cstdint>
#include <string>

#include "mixfeed/v1/model.pb.h"
#include "tests/augment/guess/archives.h"

namespace mixfeed::testing {

// A model "net", which a trainer pushes weights to: its version n is of the trainer's update n.

// The trainer's network after its update n, of the small datasets' ten classes.
inline LinearNetwork NetworkOf(uint64_t update) {
  return MakeLinearNetwork(/*classes=*/10, /*channels=*/3, static_cast<unsigned>(update + 1));
}

// Of a TorchScript archive.
inline v1::RegisterModelHeader ArchiveHeader(const std::string& name = "net") {
  v1::RegisterModelHeader header;
  header.set_name(name);
  header.set_kind("torchscript");
  return header;
}

// Of the update after the newest one.
inline v1::PushWeightsHeader PushOf(uint64_t update) {
  v1::PushWeightsHeader header;
  header.set_model("net");
  header.set_update(update);
  header.set_replaces(update - 1);
  return header;
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_TESTING_NET_MODEL_H_
