#include "augment/pool/image_loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "tests/augment/pool/status_matchers.h"

namespace mixfeed {
namespace {

using ::testing::ElementsAre;
using testing::FailsWith;
using testing::IsOk;

constexpr int64_t kImages = 2500;

TEST(ImageLoopTest, CallsTheBodyOnceForEachImage) {
  std::vector<std::atomic<int>> calls(kImages);
  ThreadPool threads(3);
  ImageProgress progress({}, kImages);
  ASSERT_THAT(ForEachImage(kImages, &threads, &progress,
                           [&](int64_t i) {
                             ++calls[static_cast<size_t>(i)];
                             return absl::OkStatus();
                           }),
              IsOk());
  for (const auto& count : calls) ASSERT_EQ(count, 1);
}

TEST(ImageLoopTest, ReportsProgressOverSeveralLoops) {
  std::vector<double> reports;
  const std::function<void(double)> report = [&](double p) { reports.push_back(p); };
  ThreadPool threads(2);
  ImageProgress progress(report, 2 * kImages);
  for (int loop = 0; loop < 2; ++loop) {
    ASSERT_THAT(
        ForEachImage(kImages, &threads, &progress, [](int64_t) { return absl::OkStatus(); }),
        IsOk());
  }
  EXPECT_THAT(reports, ElementsAre(0.2, 0.4, 0.5, 0.7, 0.9, 1));
}

TEST(ImageLoopTest, ReturnsTheErrorOfTheFirstImageAndStops) {
  for (int thread_count : {1, 4}) {
    ThreadPool threads(thread_count);
    ImageProgress progress({}, kImages);
    std::atomic<int64_t> last{0};
    const auto body = [&](int64_t i) {
      if (i >= 2000) last = i;
      return i == 1300 || i == 1900 ? absl::DataLossError("image " + std::to_string(i))
                                    : absl::OkStatus();
    };
    EXPECT_THAT(ForEachImage(kImages, &threads, &progress, body),
                FailsWith(absl::StatusCode::kDataLoss, "image 1300"));
    EXPECT_EQ(last, 0);
  }
}

}  // namespace
}  // namespace mixfeed
