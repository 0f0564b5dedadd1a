#include "server/core/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "augment/render/cuda_renderer.h"

namespace mixfeed {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class DeviceTest : public ::testing::Test {
 protected:
  absl::StatusOr<Device> Open(const std::string& name) {
    return OpenDevice(*ParseDeviceName(name), &threads_);
  }
  ThreadPool threads_{1};
};

TEST_F(DeviceTest, CpuAlwaysWorks) {
  const auto device = Open("cpu");
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_THAT(device->description, StartsWith("cpu ("));
  EXPECT_EQ(device->description, device->renderer->description());
}

TEST_F(DeviceTest, WithoutCudaAutoFallsBackAndCudaIsRefusedInOneLine) {
  if (MakeCudaRenderer(0).ok()) GTEST_SKIP() << "this machine has a CUDA device";
  EXPECT_THAT(Open("auto")->description, HasSubstr("; auto: no usable CUDA device"));
  for (const char* name : {"cuda", "cuda:3"}) {
    const absl::Status status = Open(name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), StartsWith("--device cuda: "));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("\n")));
  }
}

TEST(DeviceNameTest, KnowsItsSpellings) {
  EXPECT_EQ(ParseDeviceName("auto")->kind, DeviceName::Kind::kAuto);
  EXPECT_EQ(ParseDeviceName("cpu")->kind, DeviceName::Kind::kCpu);
  EXPECT_EQ(ParseDeviceName("cuda")->kind, DeviceName::Kind::kCuda);
  EXPECT_EQ(ParseDeviceName("cuda:12")->cuda_device, 12);
  for (const char* bad : {"", "CPU", "cuda:", "cuda:-1", "cuda:1024", "cuda:1x", "gpu"}) {
    EXPECT_EQ(ParseDeviceName(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace mixfeed
