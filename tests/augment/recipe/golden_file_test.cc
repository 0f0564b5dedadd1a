#include "tests/augment/recipe/golden_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

namespace mixfeed::testing {
namespace {

using ::testing::ElementsAre;

GoldenCase Example() {
  GoldenCase golden("example");
  golden.Append("size", {"3"});
  golden.Append("lambda", {"0.25", "1"});
  golden.Append("lambda", {"2"});
  golden.Append("mode", {"xx."});
  return golden;
}

TEST(GoldenCaseTest, FieldsOfSeveralLinesAreOne) {
  const GoldenCase golden = Example();
  EXPECT_THAT(golden.numbers("lambda"), ElementsAre(0.25, 1, 2));
  EXPECT_THAT(golden.floats("lambda"), ElementsAre(0.25f, 1.0f, 2.0f));
  EXPECT_EQ(golden.integer("size"), 3);
  EXPECT_EQ(golden.text("mode"), "xx.");
  EXPECT_FALSE(golden.has("labels"));
}

TEST(GoldenCaseTest, WhatIsMissingOrIsNoNumberFailsTheTest) {
  EXPECT_NONFATAL_FAILURE(Example().numbers("labels"), "golden example has no labels");
  EXPECT_NONFATAL_FAILURE(Example().text("lambda"), "lambda of golden example has 3 values");
  EXPECT_NONFATAL_FAILURE(Example().numbers("mode"), "mode of golden example: xx.");
  EXPECT_NONFATAL_FAILURE(Example().integer("mode"), "mode of golden example: xx.");
  EXPECT_NONFATAL_FAILURE(Example().number("lambda"), "lambda of golden example has 3 values");
}

TEST(ReadGoldensTest, AMissingFileKindOrNameFailsTheTest) {
  EXPECT_NONFATAL_FAILURE(ReadGoldens("none.txt", "warp"), "no goldens of kind warp in none.txt");
  EXPECT_NONFATAL_FAILURE(ReadGoldens("mixmatch.txt", "warp"), "no goldens of kind warp");
  EXPECT_NONFATAL_FAILURE(ReadGolden("mixmatch.txt", "ramp", "x"), "no golden x of kind ramp");
}

TEST(ReadGoldensTest, EveryFileIsThere) {
  EXPECT_EQ(ReadGoldens("warp.txt", "warp").size(), 30u);
  EXPECT_EQ(ReadGoldens("warp.txt", "tone").size(), 7u);
  EXPECT_EQ(ReadGoldens("mixmatch.txt", "ramp").size(), 6u);
}

// The first numbers of a formula that two languages write down, by hand.
TEST(ExampleImagesTest, FollowTheirFormula) {
  const std::vector<uint8_t> pixels = ExampleImages(2, {2, 2, 2});
  EXPECT_THAT(pixels, ElementsAre(0, 11, 23, 41, 59, 70, 82, 100,  //
                                  37, 53, 65, 88, 96, 112, 124, 147));
  EXPECT_THAT(ExampleLabels(4, 4), ElementsAre(0, 3, 2, 1));
}

}  // namespace
}  // namespace mixfeed::testing
