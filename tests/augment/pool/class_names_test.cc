#include "augment/pool/class_names.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/augment/pool/status_matchers.h"
#include "tests/testing/temp_dir.h"

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

class ReadClassNamesTest : public ::testing::Test {
 protected:
  void Write(const std::string& text) { std::ofstream(path_) << text; }
  const testing::TempDir folder_;
  const std::string path_ = folder_.File("names.txt");
};

TEST_F(ReadClassNamesTest, PassesOverEmptyLinesAndDosLineEnds) {
  Write("cat\r\n\ndog\r\n\r\n");
  EXPECT_EQ(*ReadClassNames(path_), (std::vector<std::string>{"cat", "dog"}));
}

TEST_F(ReadClassNamesTest, NamesWhatIsWrong) {
  EXPECT_THAT(ReadClassNames(path_), FailsWith(absl::StatusCode::kNotFound, path_));
  Write("\n");
  EXPECT_THAT(ReadClassNames(path_),
              FailsWith(absl::StatusCode::kDataLoss, path_ + ": names no class"));
  Write("cat\ncat\n");
  EXPECT_THAT(ReadClassNames(path_),
              FailsWith(absl::StatusCode::kDataLoss, path_ + ": classes 0 and 1"));
}

TEST_F(ReadClassNamesTest, OfADatasetOfKnownClassesAreAsManyAsThose) {
  const std::vector<std::string> known = {"cat", "dog"};
  EXPECT_EQ(*ReadClassNames(path_, "PETS", known), known);
  Write("chat\nchien\n");
  EXPECT_EQ(*ReadClassNames(path_, "PETS", known), (std::vector<std::string>{"chat", "chien"}));
  Write("chat\n");
  EXPECT_THAT(ReadClassNames(path_, "PETS", known),
              FailsWith(absl::StatusCode::kDataLoss, path_ + ": names 1 classes; PETS has 2 here"));
}

}  // namespace
}  // namespace mixfeed
