#ifndef MIXFEED_TESTS_INTEGRATION_FEED_FIXTURE_H_
#define MIXFEED_TESTS_INTEGRATION_FEED_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "augment/pool/dataset.h"
#include "client/feed_client.h"
#include "tests/testing/child_process.h"
#include "tests/testing/cifar_files.h"
#include "tests/testing/eventually.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace mixfeed::testing {

// Digest of each step.
using Digests = std::map<uint64_t, std::string>;

// Real servers in processes of their own, on a small dataset in the CIFAR format.
class FeedTest : public ::testing::Test {
 protected:
  FeedTest() : FeedTest(TinyDataset(/*train=*/500, /*test=*/70)) {}
  explicit FeedTest(Dataset dataset) : dataset_(std::move(dataset)) {
    WriteCifar10(data_dir(), dataset_);
  }

  std::string data_dir() const { return dir_.File("cifar"); }
  std::string state_dir(const std::string& name) const { return dir_.File("state-" + name); }
  const Dataset& dataset() const { return dataset_; }
  const TempDir& dir() const { return dir_; }

  // `extra` flags come after the data and the state folder.
  std::unique_ptr<ServerProcess> StartServer(const std::string& state,
                                             const std::vector<std::string>& extra = {}) const {
    std::vector<std::string> args = {"--data",         "cifar=" + data_dir(), "--state-dir",
                                     state_dir(state), "--trial-deadline-ms", "600000"};
    args.insert(args.end(), extra.begin(), extra.end());
    return std::make_unique<ServerProcess>(MIXFEED_SERVER_PROGRAM, args);
  }

  static std::unique_ptr<FeedClient> ConnectTo(const ServerProcess& server,
                                               ConnectOptions options = {}) {
    options.server = server.address();
    auto client = FeedClient::Connect(options);
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }

  static std::unique_ptr<Feed> Open(FeedClient& client, const v1::FeedSpec& spec,
                                    const std::string& run = "run") {
    auto feed = client.OpenFeed(spec, run);
    EXPECT_TRUE(feed.ok()) << feed.status();
    return *std::move(feed);
  }

  // Waits until a batch waits for its weights.
  static void AwaitWaitingBatch(FeedClient& client) {
    EXPECT_TRUE(Eventually([&] {
      const auto info = client.GetServerInfo();
      return info.ok() && info->waiting_batches() > 0;
    }));
  }

  static v1::FeedSpec Spec(const std::string& preset, uint32_t batch = 8) {
    v1::FeedSpec spec;
    spec.mutable_recipe()->set_preset(preset);
    spec.mutable_split()->set_labelled(100);
    spec.set_batch(batch);
    spec.set_seed(7);
    return spec;
  }

  // The next `count` batches of a stream.
  static Digests Take(BatchStream& stream, int count) {
    Digests digests;
    for (int i = 0; i < count; ++i) {
      auto batch = stream.Next();
      EXPECT_TRUE(batch.ok()) << batch.status();
      if (!batch.ok()) break;
      const bool is_new = digests.emplace(batch->header().step(), batch->Digest()).second;
      EXPECT_TRUE(is_new) << "step " << batch->header().step() << " came twice";
    }
    return digests;
  }

  static Digests Stream(Feed& feed, int count, const StreamOptions& options = {}) {
    auto stream = feed.Stream(options);
    EXPECT_TRUE(stream.ok()) << stream.status();
    return Take(**stream, count);
  }

  static Digests GetEach(Feed& feed, uint64_t count) {
    Digests digests;
    // Backwards, so that no order of asking is the one of the stream.
    for (uint64_t step = count; step-- > 0;) {
      auto batch = feed.GetBatch(step, v1::PixelFormat());
      EXPECT_TRUE(batch.ok()) << batch.status();
      if (batch.ok()) digests.emplace(step, batch->Digest());
    }
    return digests;
  }

 private:
  const TempDir dir_;
  const Dataset dataset_;
};

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_INTEGRATION_FEED_FIXTURE_H_
