#include "augment/pool/file_io.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/augment/pool/status_matchers.h"
#include "tests/testing/sanitizers.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using testing::FailsWith;
using testing::IsOk;

// A file of that many bytes, which takes no room on the disk.
void WriteHole(const std::string& path, int64_t bytes) {
  std::ofstream(path).close();
  std::filesystem::resize_file(path, static_cast<uintmax_t>(bytes));
}

TEST(ReadWholeFileTest, MoreMemoryThanThereIsIsAnError) {
  if (testing::kSanitized) GTEST_SKIP() << "the sanitizer's allocator does not throw";
  const testing::TempDir folder;
  const std::string path = folder.File("large");
  WriteHole(path, kMaxFileBytes);
  const auto read_with_little_memory = [&] {
    const rlimit memory{rlim_t{1} << 30, rlim_t{1} << 30};
    setrlimit(RLIMIT_AS, &memory);
    const absl::Status status = ReadWholeFile(path).status();
    std::cerr << status;
    std::exit(absl::IsResourceExhausted(status) ? 0 : 1);
  };
  EXPECT_EXIT(read_with_little_memory(), ::testing::ExitedWithCode(0),
              "no memory for .*large of 4294967296 bytes");
}

TEST(ReadWholeFileTest, LargerFilesAreRefused) {
  const testing::TempDir folder;
  WriteHole(folder.File("larger"), kMaxFileBytes + 1);
  EXPECT_THAT(ReadWholeFile(folder.File("larger")),
              FailsWith(absl::StatusCode::kInvalidArgument,
                        folder.File("larger") + ": has 4294967297 bytes; allowed are up to"));
}

std::string Content(const std::string& path) {
  const auto bytes = ReadWholeFile(path);
  return bytes.ok() ? std::string(bytes->begin(), bytes->end()) : bytes.status().ToString();
}

TEST(WriteFileDurablyTest, ReplacesTheWholeFileAndLeavesNothingBesideIt) {
  const testing::TempDir folder;
  ASSERT_THAT(WriteFileDurably(folder.File("file"), "a longer text"), IsOk());
  ASSERT_THAT(WriteFileDurably(folder.File("file"), std::string("new\0text", 8)), IsOk());
  EXPECT_EQ(Content(folder.File("file")), std::string("new\0text", 8));
  EXPECT_THAT(*ListFolder(folder.path()), ::testing::ElementsAre("file"));
}

TEST(WriteFileDurablyTest, AnErrorLeavesTheOldStateAndNothingBesideIt) {
  const testing::TempDir folder;
  std::filesystem::create_directory(folder.File("taken"));
  EXPECT_THAT(WriteFileDurably(folder.File("taken"), "text"),
              FailsWith(absl::StatusCode::kInternal, folder.File("taken") + ": "));
  EXPECT_THAT(WriteFileDurably(folder.File("absent/file"), "text"),
              FailsWith(absl::StatusCode::kInternal, "cannot be written"));
  EXPECT_THAT(*ListFolder(folder.path()), ::testing::ElementsAre("taken"));
}

TEST(SyncToDiskTest, TakesFilesAndFoldersThatAreThere) {
  const testing::TempDir folder;
  WriteHole(folder.File("file"), 1);
  EXPECT_THAT(SyncToDisk(folder.File("file")), IsOk());
  EXPECT_THAT(SyncToDisk(folder.path()), IsOk());
  EXPECT_THAT(SyncToDisk(folder.File("absent")),
              FailsWith(absl::StatusCode::kInternal,
                        folder.File("absent") + ": cannot be synced to the disk"));
}

}  // namespace
}  // namespace mixfeed
