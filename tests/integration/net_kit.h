#ifndef MIXFEED_TESTS_INTEGRATION_NET_KIT_H_
#define MIXFEED_TESTS_INTEGRATION_NET_KIT_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "client/feed_client.h"
#include "tests/augment/guess/archives.h"
#include "tests/testing/net_model.h"

namespace mixfeed::testing {

// The model of net_model.h through the client.

inline void MustRegister(FeedClient& client, const std::string& archive,
                         const v1::RegisterModelHeader& header = ArchiveHeader()) {
  const auto model = client.RegisterModel(header, archive);
  ASSERT_TRUE(model.ok()) << model.status();
}

inline absl::StatusOr<v1::PushWeightsResponse> Push(FeedClient& client, uint64_t update) {
  return client.PushWeights(PushOf(update), LinearWeights(NetworkOf(update)));
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_INTEGRATION_NET_KIT_H_
