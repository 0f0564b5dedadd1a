#include <string>

#include "augment/render/cuda_renderer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mixfeed {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Without a GPU or without MIXFEED_CUDA, whichever this machine and build lack.
TEST(CudaUnavailableTest, WhereThereIsNoGpuOneLineSaysWhatToDo) {
  const absl::Status status = MakeCudaRenderer(0).status();
  if (status.ok()) GTEST_SKIP() << "this machine has a GPU";
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("--device cpu"));
  EXPECT_THAT(message, Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace mixfeed
