#include "augment/base/memory.h"

#include <gtest/gtest.h>

#include <vector>

#include "absl/status/statusor.h"

namespace mixfeed {
namespace {

TEST(CatchOutOfMemoryTest, NamesWhatThereIsNoMemoryFor) {
  const absl::Status status =
      CatchOutOfMemory("a padded pool", 77, []() -> absl::Status { throw std::bad_alloc(); });
  EXPECT_EQ(status, absl::ResourceExhaustedError("no memory for a padded pool of 77 bytes"));
}

TEST(CatchOutOfMemoryTest, CatchesSizesThatNoVectorHas) {
  const absl::StatusOr<int> result = CatchOutOfMemory("it", 1, []() -> absl::StatusOr<int> {
    std::vector<int> huge;
    huge.resize(huge.max_size() + 1);
    return 1;
  });
  EXPECT_EQ(result.status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(CatchOutOfMemoryTest, PassesOnWhatTheBodyReturns) {
  EXPECT_EQ(*CatchOutOfMemory("it", 1, []() -> absl::StatusOr<int> { return 3; }), 3);
  EXPECT_EQ(CatchOutOfMemory("it", 1, [] { return absl::InternalError("x"); }),
            absl::InternalError("x"));
}

}  // namespace
}  // namespace mixfeed
