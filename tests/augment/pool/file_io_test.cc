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

TEST(AppendFileTest, KeepsWhatWasThere) {
  const testing::TempDir folder;
  const std::string path = folder.File("x");
  std::ofstream(path) << "cd";
  std::vector<uint8_t> bytes = {'a', 'b'};
  ASSERT_THAT(AppendFile(path, 2, &bytes), IsOk());
  EXPECT_EQ(bytes, (std::vector<uint8_t>{'a', 'b', 'c', 'd'}));
  EXPECT_THAT(AppendFile(path, 1, &bytes), FailsWith(absl::StatusCode::kInvalidArgument,
                                                     path + ": has 2 bytes; allowed are up to 1"));
  EXPECT_THAT(AppendFile(folder.File("none"), 2, &bytes),
              FailsWith(absl::StatusCode::kNotFound, folder.File("none") + ": no such file"));
  EXPECT_EQ(bytes.size(), 4U);
}

TEST(ReadFileStartTest, ReadsWhatIsThereOfWhatIsAsked) {
  const testing::TempDir folder;
  const std::string path = folder.File("x");
  std::ofstream(path) << "abc";
  EXPECT_EQ(*ReadFileStart(path, 0), std::vector<uint8_t>{});
  EXPECT_EQ(*ReadFileStart(path, 2), (std::vector<uint8_t>{'a', 'b'}));
  EXPECT_EQ(*ReadFileStart(path, 4), (std::vector<uint8_t>{'a', 'b', 'c'}));
  EXPECT_THAT(ReadFileStart(folder.path(), 4),
              FailsWith(absl::StatusCode::kNotFound, folder.path() + ": no such file"));
}

TEST(FolderNameTest, IsTheLastComponent) {
  EXPECT_EQ(FolderName("/data/mnist"), "mnist");
  EXPECT_EQ(FolderName("/data/mnist/"), "mnist");
  EXPECT_EQ(FolderName("/data/mnist/raw/.."), "mnist");
  EXPECT_EQ(FolderName("/"), "");
}

TEST(FindFolderTest, TakesTheFirstFolderWithOneOfTheFiles) {
  const testing::TempDir a;
  const testing::TempDir b;
  std::ofstream(b.File("2")) << "x";
  EXPECT_EQ(FindFolder({a.path(), b.path()}, {"1", "2"}), b.path());
  std::ofstream(a.File("1")) << "x";
  EXPECT_EQ(FindFolder({a.path(), b.path()}, {"1", "2"}), a.path());
  EXPECT_EQ(FindFolder({a.path(), b.path()}, {"3"}), "");
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
