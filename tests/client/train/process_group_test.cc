#include "client/train/process_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>
#include <vector>

#include "tests/testing/free_port.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TempDir;

// Runs `body(group)` in as many threads as the world has.
template <typename Body>
void InAWorldOf(uint32_t world, const std::string& rendezvous, const Body& body) {
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < world; ++rank) {
    threads.emplace_back([&, rank] {
      const auto group =
          ProcessGroup::Join({.rank = rank, .world = world, .rendezvous = rendezvous});
      ASSERT_TRUE(group.ok()) << group.status();
      EXPECT_EQ((*group)->rank(), rank);
      EXPECT_EQ((*group)->world(), world);
      body(**group);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(ProcessGroupTest, SumsElementByElement) {
  const TempDir dir;
  InAWorldOf(3, "file:" + dir.File("meet"), [](ProcessGroup& group) {
    std::vector<float> values = {1.5F, static_cast<float>(group.rank()), -1};
    ASSERT_TRUE(group.Sum(values).ok());
    EXPECT_THAT(values, ElementsAre(4.5F, 3, -3));
  });
}

TEST(ProcessGroupTest, SharesWhatRankZeroHas) {
  const TempDir dir;
  InAWorldOf(2, "file:" + dir.File("meet"), [](ProcessGroup& group) {
    for (const std::string& text : {std::string("weights\0and", 11), std::string()}) {
      std::string bytes = group.rank() == 0 ? text : "something else";
      ASSERT_TRUE(group.Share(&bytes).ok());
      EXPECT_EQ(bytes, text);
    }
  });
}

TEST(ProcessGroupTest, MeetsAtAnAddress) {
  InAWorldOf(2, "127.0.0.1:" + std::to_string(testing::FreePort()), [](ProcessGroup& group) {
    float one = 1;
    ASSERT_TRUE(group.Sum({&one, 1}).ok());
    EXPECT_EQ(one, 2);
  });
}

TEST(ProcessGroupTest, AProcessThatIsGoneIsSaid) {
  const TempDir dir;
  InAWorldOf(2, "file:" + dir.File("meet"), [](ProcessGroup& group) {
    if (group.rank() == 1) return;
    float one = 1;
    const absl::Status status = group.Sum({&one, 1});
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(status.message()), HasSubstr("another process of --world is gone"));
  });
}

// Regression: meetings and calls had one limit of 300 s, which a long evaluation of rank 0 met.
TEST(ProcessGroupTest, ACallHasALimitOfItsOwn) {
  const TempDir dir;
  const auto join = [&](uint32_t rank) {
    auto group = ProcessGroup::Join({.rank = rank,
                                     .world = 2,
                                     .rendezvous = "file:" + dir.File("meet"),
                                     // A call under it would outlast ctest's limit.
                                     .timeout_ms = 3'600'000,
                                     .call_timeout_ms = 2000});
    EXPECT_TRUE(group.ok()) << group.status();
    return group;
  };
  std::promise<void> given_up;
  std::thread other([&] {
    const auto group = join(1);
    given_up.get_future().wait();
  });
  const auto group = join(0);
  float one = 1;
  const absl::Status status = (*group)->Sum({&one, 1});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("another process of --world is gone or too slow"));
  given_up.set_value();
  other.join();
}

TEST(ProcessGroupTest, OneThatNobodyJoinsGivesUp) {
  const TempDir dir;
  const std::string rendezvous = "file:" + dir.File("meet");
  const auto group =
      ProcessGroup::Join({.rank = 0, .world = 2, .rendezvous = rendezvous, .timeout_ms = 200});
  EXPECT_EQ(group.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(group.status().message()),
              HasSubstr(rendezvous + ": not all of 2 processes met"));
}

TEST(ProcessGroupTest, RefusesWhatIsNoRendezvousAndNoRank) {
  for (const char* const rendezvous :
       {"", "file:", "host", ":29500", "host:", "host:0", "host:65536", "host:port"}) {
    const auto group = ProcessGroup::Join({.rank = 0, .world = 2, .rendezvous = rendezvous});
    EXPECT_EQ(group.status().code(), absl::StatusCode::kInvalidArgument) << rendezvous;
    EXPECT_THAT(std::string(group.status().message()),
                HasSubstr(std::string("rendezvous: '") + rendezvous + "' given; allowed: "));
  }
  EXPECT_THAT(std::string(ProcessGroup::Join({.rank = 2, .world = 2}).status().message()),
              HasSubstr("rank: 2 given, must be below the world of 2"));
  for (const uint32_t world : {0u, 1025u}) {
    EXPECT_THAT(std::string(ProcessGroup::Join({.world = world}).status().message()),
                HasSubstr("world: " + std::to_string(world) + " given, allowed: 1..1024"));
  }
}

}  // namespace
}  // namespace mixfeed
