#include "augment/pool/class_names.h"

#include <gtest/gtest.h>

#include "tests/augment/pool/status_matchers.h"

namespace mixfeed {
namespace {

using testing::FailsWith;
using testing::IsOk;

TEST(ClassNamesTest, Utf8Passes) {
  EXPECT_THAT(CheckClassNames("f", {}), IsOk());
  EXPECT_THAT(CheckClassNames("f", {"cat", "", "\xc3\xbc", "\xe7\x8c\xab", "\xf0\x9f\x90\x88",
                                    "\xf4\x8f\xbf\xbf", "\x7f"}),
              IsOk());
}

TEST(ClassNamesTest, OtherBytesAreRefused) {
  for (const char* name :
       {"\xff", "\x80", "caf\xe9", "\xc3", "\xc3(", "\xe7\x8c", "\xc0\xaf", "\xe0\x80\xaf",
        "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80"}) {
    EXPECT_THAT(CheckClassNames("names.txt", {"cat", name}),
                FailsWith(absl::StatusCode::kDataLoss, "names.txt: the name of class 1, \""));
  }
  EXPECT_THAT(CheckClassNames("f", {"caf\xe9"}),
              FailsWith(absl::StatusCode::kDataLoss, "\"caf\\xe9\", is not UTF-8"));
}

TEST(ClassNamesTest, ANameTwiceIsRefused) {
  EXPECT_THAT(CheckClassNames("names.txt", {"cat", "dog", "cat"}),
              FailsWith(absl::StatusCode::kDataLoss,
                        "names.txt: classes 0 and 2 have the same name, \"cat\""));
}

}  // namespace
}  // namespace mixfeed
