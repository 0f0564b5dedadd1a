#include "server/core/state_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "server/core/names.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using ::testing::HasSubstr;
using testing::TempDir;

TEST(StateDirTest, IsMadeWithItsParentsAndKept) {
  const TempDir parent;
  const std::string path = parent.File("a/b");
  {
    const auto state = StateDir::Open(path);
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_FALSE((*state)->temporary());
    std::ofstream((*state)->File("kept")) << "x";
  }
  EXPECT_TRUE(std::filesystem::exists(path + "/kept"));
}

TEST(StateDirTest, SecondServerIsRefusedUntilTheFirstIsGone) {
  const TempDir directory;
  auto first = StateDir::Open(directory.path());
  ASSERT_TRUE(first.ok());
  const absl::Status second = StateDir::Open(directory.path()).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.message()), HasSubstr("another mixfeed-server uses it"));
  first->reset();
  EXPECT_TRUE(StateDir::Open(directory.path()).ok());
}

TEST(StateDirTest, WithoutAPathItIsTemporaryAndRemoved) {
  std::string path;
  {
    const auto state = StateDir::Open("");
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_TRUE((*state)->temporary());
    path = (*state)->path();
    std::ofstream((*state)->File("gone")) << "x";
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(StateDirTest, PathThatIsAFileIsRefused) {
  const TempDir directory;
  std::ofstream(directory.File("file")) << "x";
  const absl::Status status = StateDir::Open(directory.File("file")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--state-dir " + directory.File("file")));
}

TEST(NamesTest, AllowedCharactersAndLengths) {
  for (const std::string& good :
       {std::string("a"), std::string("A-z_0.9"), std::string("..."), std::string(128, 'x')}) {
    EXPECT_TRUE(CheckName("run", good).ok()) << good;
  }
  for (const std::string& bad :
       {std::string(), std::string(129, 'x'), std::string("a b"), std::string("a/b"),
        std::string("\xc3\xa4"), std::string(1, '\0')}) {
    const absl::Status status = CheckName("run", bad);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("run is \""));
  }
}

TEST(NamesTest, RandomNamesDiffer) {
  std::set<std::string> names;
  for (int i = 0; i < 1000; ++i) names.insert(RandomName());
  EXPECT_EQ(names.size(), 1000u);
  EXPECT_TRUE(CheckName("run", *names.begin()).ok());
  EXPECT_EQ(names.begin()->size(), 16u);
}

}  // namespace
}  // namespace mixfeed
