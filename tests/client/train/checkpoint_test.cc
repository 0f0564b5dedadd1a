#include "client/train/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

#include "tests/testing/file_bytes.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::ReadBytes;
using testing::TempDir;

constexpr char kDescription[] = R"({"update":3})";

std::string SomeTensors() {
  const float values[] = {1, 2, 3};
  const WeightTensor tensor{.name = "a", .shape = {3}, .data = std::as_bytes(std::span(values))};
  return *WriteSafetensors(std::vector{tensor});
}

class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() { EXPECT_TRUE(WriteCheckpoint(path(), kDescription, SomeTensors()).ok()); }

  std::string path() const { return dir_.File("a.ckpt"); }

  absl::Status Parse(const std::string& bytes) const {
    return ParseCheckpoint(path(), bytes).status();
  }

  const TempDir dir_;
};

TEST_F(CheckpointTest, HoldsWhatWasWritten) {
  const auto bytes = ReadCheckpointFile(path());
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto checkpoint = ParseCheckpoint(path(), *bytes);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->description, kDescription);
  EXPECT_EQ(checkpoint->tensors.bytes(), SomeTensors());
}

TEST_F(CheckpointTest, TheFormIsTheDocumentedOne) {
  const std::string bytes = ReadBytes(path());
  const std::string tensors = SomeTensors();
  ASSERT_EQ(bytes.size(), 64 + sizeof(kDescription) - 1 + tensors.size());
  EXPECT_EQ(bytes.substr(0, 8), "MIXFEEDC");
  EXPECT_EQ(bytes.substr(8, 8), std::string("\1\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(bytes.substr(16, 8), std::string("\x0c\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(static_cast<uint8_t>(bytes[24]), tensors.size());
  EXPECT_EQ(bytes.substr(32, 32), DigestOf(bytes.substr(0, 32) + bytes.substr(64)));
  EXPECT_EQ(bytes.substr(64), kDescription + tensors);
}

struct Part {
  const char* field;  // that the error names
  size_t begin, end;
};

// Every bit of every byte, in whatever part of the file.
TEST_F(CheckpointTest, OneDamagedBitIsFoundWhereverItIs) {
  const std::string bytes = ReadBytes(path());
  const Part parts[] = {{"magic", 0, 8},
                        {"version", 8, 16},
                        {"length of the description|length of the tensors", 16, 24},
                        {"length of the tensors", 24, 32},
                        {"checksum", 32, bytes.size()}};
  for (const Part& part : parts) {
    for (size_t i = part.begin; i < part.end; ++i) {
      for (int bit = 0; bit < 8; ++bit) {
        std::string damaged = bytes;
        damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
        const absl::Status status = Parse(damaged);
        ASSERT_FALSE(status.ok()) << "byte " << i << ", bit " << bit;
        EXPECT_THAT(std::string(status.message()),
                    AllOf(HasSubstr("checkpoint " + path() + ": "), HasSubstr("damaged"),
                          ::testing::ContainsRegex(part.field)))
            << "byte " << i << ", bit " << bit;
      }
    }
  }
}

TEST_F(CheckpointTest, ACutFileIsRefusedAtEveryLength) {
  const std::string bytes = ReadBytes(path());
  for (size_t size = 0; size < bytes.size(); ++size) {
    const absl::Status status = Parse(bytes.substr(0, size));
    ASSERT_FALSE(status.ok()) << size;
    EXPECT_THAT(std::string(status.message()), HasSubstr(path())) << size;
  }
  EXPECT_EQ(Parse(bytes + "x").code(), absl::StatusCode::kDataLoss);
}

TEST_F(CheckpointTest, ForeignFilesAreNamedSo) {
  EXPECT_THAT(std::string(Parse(SomeTensors()).message()),
              HasSubstr("mixfeed-train did not write this file"));
  std::string newer = ReadBytes(path());
  newer[8] = 2;
  EXPECT_THAT(std::string(Parse(newer).message()), HasSubstr("version: 2, this program reads 1"));
}

// A sound checksum over tensors that are none: what only a program with a bug writes.
TEST_F(CheckpointTest, TensorsThatAreNoneAreNamed) {
  ASSERT_TRUE(WriteCheckpoint(path(), kDescription, "no tensors").ok());
  const absl::Status status = Parse(ReadBytes(path()));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("tensors: "));
}

TEST_F(CheckpointTest, WritingReplacesTheFileAndLeavesNothingBeside) {
  ASSERT_TRUE(WriteCheckpoint(path(), "{}", SomeTensors()).ok());
  EXPECT_EQ(ParseCheckpoint(path(), ReadBytes(path()))->description, "{}");
  const std::filesystem::directory_iterator entries(std::filesystem::path(path()).parent_path());
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST_F(CheckpointTest, FilesThatCannotBeAreNamed) {
  const std::string nowhere = dir_.File("nowhere/a.ckpt");
  EXPECT_THAT(std::string(WriteCheckpoint(nowhere, "{}", "").message()), HasSubstr(nowhere));
  EXPECT_THAT(std::string(ReadCheckpointFile(nowhere).status().message()), HasSubstr(nowhere));
}

}  // namespace
}  // namespace mixfeed
