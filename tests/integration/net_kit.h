#ifndef MIXFEED_TESTS_INTEGRATION_NET_KIT_H_
#define MIXFEED_TESTS_INTEGRATION_NET_KIT_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "client/feed_client.h"
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

inline void MustRegister(FeedClient& client, const std::string& archive,
                         const v1::RegisterModelHeader& header = ArchiveHeader()) {
  const auto model = client.RegisterModel(header, archive);
  ASSERT_TRUE(model.ok()) << model.status();
}

// Of the update after the newest one.
inline v1::PushWeightsHeader PushOf(uint64_t update) {
  v1::PushWeightsHeader header;
  header.set_model("net");
  header.set_update(update);
  header.set_replaces(update - 1);
  return header;
}

inline absl::StatusOr<v1::PushWeightsResponse> Push(FeedClient& client, uint64_t update) {
  return client.PushWeights(PushOf(update), LinearWeights(NetworkOf(update)));
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_INTEGRATION_NET_KIT_H_
