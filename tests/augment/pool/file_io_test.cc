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

}  // namespace
}  // namespace mixfeed
