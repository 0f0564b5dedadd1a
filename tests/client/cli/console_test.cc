#include "client/cli/console.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace mixfeed {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

TEST(ProgressTest, IsSilentWhereThereIsNoTerminal) {
  std::ostringstream out, err;
  Console console{out, err};
  { Progress(&console, 2).Begin("part"); }
  EXPECT_EQ(out.str() + err.str(), "");
}

TEST(ProgressTest, DrawsABarAndClearsIt) {
  std::ostringstream out, err;
  Console console{.out = out, .err = err, .terminal = true};
  {
    Progress progress(&console, 2);
    progress.Begin("one");
    progress.Begin("two");
  }
  EXPECT_EQ(out.str(), "");
  EXPECT_THAT(err.str(), HasSubstr("[........................] one"));
  EXPECT_THAT(err.str(), HasSubstr("[############............] two"));
  EXPECT_THAT(err.str(), EndsWith("\r\033[K"));
}

}  // namespace
}  // namespace mixfeed
