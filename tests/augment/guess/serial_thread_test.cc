#include "augment/guess/serial_thread.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace mixfeed {
namespace {

TEST(SerialThreadTest, RunsEverythingOnOneThreadThatIsNotTheCallers) {
  SerialThread serial;
  std::thread::id first, second;
  serial.Run([&] { first = std::this_thread::get_id(); });
  std::thread([&] { serial.Run([&] { second = std::this_thread::get_id(); }); }).join();
  EXPECT_EQ(first, second);
  EXPECT_NE(first, std::this_thread::get_id());
}

TEST(SerialThreadTest, RunReturnsWhenTheWorkIsDone) {
  SerialThread serial;
  for (int round = 0; round < 100; ++round) {
    bool done = false;
    serial.Run([&] { done = true; });
    EXPECT_TRUE(done);
  }
}

TEST(SerialThreadTest, WorkOfSeveralCallersNeverOverlaps) {
  SerialThread serial;
  int running = 0, runs = 0;  // unguarded on purpose: the thread is what protects them
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 100; ++round) {
        serial.Run([&] {
          EXPECT_EQ(++running, 1);
          ++runs;
          --running;
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(runs, 400);
}

}  // namespace
}  // namespace mixfeed
