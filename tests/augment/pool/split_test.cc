#include "augment/pool/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "augment/pool/dataset.h"
#include "tests/augment/pool/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using ::testing::ElementsAre;
using testing::FailsWith;
using ::testing::IsEmpty;
using testing::IsOk;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

// 200 images, 20 of each of 10 classes.
std::vector<int16_t> TwentyOfEach() {
  std::vector<int16_t> labels;
  for (int i = 0; i < 200; ++i) labels.push_back(static_cast<int16_t>(i % 10));
  return labels;
}

std::vector<int64_t> PerClass(const std::vector<int32_t>& list,
                              const std::vector<int16_t>& labels) {
  std::vector<int64_t> counts(10);
  for (int32_t i : list) ++counts[static_cast<size_t>(labels[static_cast<size_t>(i)])];
  return counts;
}

// Every image in exactly one list.
void ExpectPartition(const Split& split, size_t images) {
  std::vector<int32_t> all = split.labelled;
  all.insert(all.end(), split.unlabelled.begin(), split.unlabelled.end());
  all.insert(all.end(), split.validation.begin(), split.validation.end());
  EXPECT_EQ(all.size(), images);
  EXPECT_EQ(std::set<int32_t>(all.begin(), all.end()).size(), images);
}

class EveryRuleTest : public ::testing::TestWithParam<SplitRule> {
 protected:
  SplitSpec spec_{.rule = GetParam(),
                  .labelled = 50,
                  .per_class = {5, 5, 5, 5, 5, 5, 5, 5, 5, 5},
                  .validation = 30};
};

TEST_P(EveryRuleTest, PutsEveryImageIntoOneList) {
  const auto split = MakeSplit(TwentyOfEach(), 10, spec_);
  ASSERT_THAT(split, IsOk());
  ExpectPartition(*split, 200);
  EXPECT_EQ(split->validation.size(), 30U);
}

TEST_P(EveryRuleTest, DependsOnTheSeedAndNothingElse) {
  const auto split = MakeSplit(TwentyOfEach(), 10, spec_);
  ASSERT_THAT(split, IsOk());
  EXPECT_EQ(*MakeSplit(TwentyOfEach(), 10, spec_), *split);
  spec_.seed = 2;
  EXPECT_NE(*MakeSplit(TwentyOfEach(), 10, spec_), *split);
}

TEST_P(EveryRuleTest, PutsTheLabelledImagesAtTheEndOfTheUnlabelledListWhenAsked) {
  const auto split = MakeSplit(TwentyOfEach(), 10, spec_);
  spec_.unlabelled_includes_labelled = true;
  const auto with = MakeSplit(TwentyOfEach(), 10, spec_);
  ASSERT_THAT(with, IsOk());
  EXPECT_EQ(with->labelled, split->labelled);
  EXPECT_EQ(with->validation, split->validation);
  std::vector<int32_t> expected = split->unlabelled;
  expected.insert(expected.end(), split->labelled.begin(), split->labelled.end());
  EXPECT_EQ(with->unlabelled, expected);
}

TEST_P(EveryRuleTest, TakesSeedsOfNumpysRangeOnly) {
  spec_.seed = 0xFFFFFFFF;
  EXPECT_THAT(MakeSplit(TwentyOfEach(), 10, spec_), IsOk());
  spec_.seed = 0x100000000;
  EXPECT_THAT(MakeSplit(TwentyOfEach(), 10, spec_),
              FailsWith(kInvalid, "seed is 4294967296; allowed are 0 to 4294967295"));
}

TEST_P(EveryRuleTest, RefusesMoreValidationImagesThanThereAre) {
  for (int64_t validation : {int64_t{-1}, int64_t{201}}) {
    spec_.validation = validation;
    EXPECT_THAT(MakeSplit(TwentyOfEach(), 10, spec_),
                FailsWith(kInvalid, "validation is " + std::to_string(validation)));
  }
}

TEST_P(EveryRuleTest, RefusesLabelsOutOfRange) {
  std::vector<int16_t> labels = TwentyOfEach();
  for (int label : {10, -2}) {
    labels[7] = static_cast<int16_t>(label);
    EXPECT_THAT(MakeSplit(labels, 10, spec_),
                FailsWith(kInvalid, "image 7 has label " + std::to_string(label)));
  }
}

INSTANTIATE_TEST_SUITE_P(Drawing, EveryRuleTest,
                         ::testing::Values(SplitRule::kMixMatch, SplitRule::kBalanced,
                                           SplitRule::kRandom, SplitRule::kPerClass,
                                           SplitRule::kAll));

TEST(MixMatchSplitTest, WithoutASeedTakesTheFirstImagesOfEachClass) {
  const auto split = MakeSplit(TwentyOfEach(), 10, {.seed = 0, .labelled = 20});
  ASSERT_THAT(split, IsOk());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(split->labelled[static_cast<size_t>(i)], i);
}

TEST(MixMatchSplitTest, HoldsOutTheFirstOfTheUnlabelledList) {
  const SplitSpec without{.labelled = 50};
  SplitSpec with = without;
  with.validation = 30;
  const auto whole = MakeSplit(TwentyOfEach(), 10, without);
  const auto split = MakeSplit(TwentyOfEach(), 10, with);
  ASSERT_THAT(split, IsOk());
  std::vector<int32_t> joined = split->validation;
  joined.insert(joined.end(), split->unlabelled.begin(), split->unlabelled.end());
  EXPECT_EQ(joined, whole->unlabelled);
}

TEST(MixMatchSplitTest, LabelsClassesByTheirShare) {
  std::vector<int16_t> labels(100, 0);
  for (size_t i = 0; i < 25; ++i) labels[4 * i] = 1;
  const auto split = MakeSplit(labels, 2, {.labelled = 20});
  ASSERT_THAT(split, IsOk());
  EXPECT_EQ(std::count_if(split->labelled.begin(), split->labelled.end(),
                          [&](int32_t i) { return labels[static_cast<size_t>(i)] == 1; }),
            5);
}

TEST(MixMatchSplitTest, PutsImagesWithoutALabelLast) {
  std::vector<int16_t> labels = TwentyOfEach();
  labels[3] = kNoLabel;
  labels[0] = kNoLabel;
  const auto split = MakeSplit(labels, 10, {.labelled = 50});
  ASSERT_THAT(split, IsOk());
  ExpectPartition(*split, 200);
  EXPECT_EQ(std::vector<int32_t>(split->unlabelled.end() - 2, split->unlabelled.end()),
            (std::vector<int32_t>{0, 3}));
}

TEST(MixMatchSplitTest, RefusesMoreLabelsThanAClassHas) {
  EXPECT_THAT(MakeSplit(TwentyOfEach(), 10, {.labelled = 201}),
              FailsWith(kInvalid, "labelled is 201; class 0 has only 20 images"));
  EXPECT_THAT(MakeSplit(TwentyOfEach(), 10, {.labelled = -1}),
              FailsWith(kInvalid, "labelled is -1"));
}

TEST(MixMatchSplitTest, RefusesAnEmptyClass) {
  EXPECT_THAT(MakeSplit(TwentyOfEach(), 11, {.labelled = 20}),
              FailsWith(kInvalid, "class 10 has none"));
  EXPECT_THAT(MakeSplit({}, 0, {.labelled = 20}), FailsWith(kInvalid, "the dataset has none"));
}

TEST(BalancedSplitTest, LabelsTheSameNumberOfEachClass) {
  std::vector<int16_t> labels = TwentyOfEach();
  labels.insert(labels.end(), 100, 4);  // one class much larger
  const auto split = MakeSplit(labels, 10, {.rule = SplitRule::kBalanced, .labelled = 70});
  ASSERT_THAT(split, IsOk());
  EXPECT_THAT(PerClass(split->labelled, labels), ::testing::Each(7));
}

TEST(BalancedSplitTest, RefusesWhatItCannotBalance) {
  const SplitRule rule = SplitRule::kBalanced;
  EXPECT_THAT(MakeSplit(TwentyOfEach(), 10, {.rule = rule, .labelled = 25}),
              FailsWith(kInvalid, "labelled is 25; allowed are multiples of 10"));
  EXPECT_THAT(MakeSplit(TwentyOfEach(), 10, {.rule = rule, .labelled = 210}),
              FailsWith(kInvalid, "labelled is 210, 21 a class; class 0 has only 20 images"));
  EXPECT_THAT(MakeSplit(TwentyOfEach(), 11, {.rule = rule, .labelled = 11}),
              FailsWith(kInvalid, "class 10 has none"));
}

// Over many seeds every image is labelled about equally often: chi-square with 199 degrees of
// freedom, whose 99.99 % quantile is 280.
TEST(RandomSplitTest, LabelsEveryImageEquallyOften) {
  constexpr int kSeeds = 400;
  constexpr int64_t kLabelled = 50;
  std::vector<double> counts(200);
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const auto split = MakeSplit(TwentyOfEach(), 10,
                                 {.rule = SplitRule::kRandom, .seed = seed, .labelled = kLabelled});
    ASSERT_THAT(split, IsOk());
    for (int32_t i : split->labelled) ++counts[static_cast<size_t>(i)];
  }
  const double expected = kSeeds * 50.0 / 200;
  double chi_square = 0;
  for (double count : counts) chi_square += (count - expected) * (count - expected) / expected;
  EXPECT_LT(chi_square, 280);
}

TEST(RandomSplitTest, NeverLabelsImagesWithoutALabel) {
  std::vector<int16_t> labels = TwentyOfEach();
  for (size_t i = 0; i < 100; ++i) labels[i] = kNoLabel;
  const SplitSpec spec{.rule = SplitRule::kRandom, .labelled = 100};
  const auto split = MakeSplit(labels, 10, spec);
  ASSERT_THAT(split, IsOk());
  EXPECT_EQ(split->labelled.front(), 100);
  SplitSpec more = spec;
  more.labelled = 101;
  EXPECT_THAT(MakeSplit(labels, 10, more),
              FailsWith(kInvalid, "labelled is 101; allowed are 0 to 100"));
}

TEST(PerClassSplitTest, LabelsTheGivenNumberOfEachClass) {
  const std::vector<int64_t> counts = {0, 1, 2, 3, 4, 5, 6, 7, 8, 20};
  const auto split =
      MakeSplit(TwentyOfEach(), 10, {.rule = SplitRule::kPerClass, .per_class = counts});
  ASSERT_THAT(split, IsOk());
  EXPECT_EQ(PerClass(split->labelled, TwentyOfEach()), counts);
}

TEST(PerClassSplitTest, RefusesCountsThatDoNotFit) {
  const SplitRule rule = SplitRule::kPerClass;
  EXPECT_THAT(MakeSplit(TwentyOfEach(), 10, {.rule = rule, .per_class = {1, 2}}),
              FailsWith(kInvalid, "per_class has 2 entries; allowed are 10"));
  EXPECT_THAT(
      MakeSplit(TwentyOfEach(), 10, {.rule = rule, .per_class = {1, 2, 3, 21, 0, 0, 0, 0, 0, 0}}),
      FailsWith(kInvalid, "per_class[3] is 21; allowed are 0 to 20"));
  EXPECT_THAT(
      MakeSplit(TwentyOfEach(), 10, {.rule = rule, .per_class = {1, -1, 0, 0, 0, 0, 0, 0, 0, 0}}),
      FailsWith(kInvalid, "per_class[1] is -1"));
}

TEST(AllSplitTest, LabelsEveryImageThatIsNotHeldOut) {
  const auto split = MakeSplit(TwentyOfEach(), 10, {.rule = SplitRule::kAll, .validation = 20});
  ASSERT_THAT(split, IsOk());
  EXPECT_EQ(split->labelled.size(), 180U);
  EXPECT_THAT(split->unlabelled, IsEmpty());
}

TEST(AllSplitTest, RefusesImagesWithoutALabel) {
  std::vector<int16_t> labels = TwentyOfEach();
  labels[13] = kNoLabel;
  EXPECT_THAT(MakeSplit(labels, 10, {.rule = SplitRule::kAll}),
              FailsWith(kInvalid, "labelled has image 13, which has no label"));
}

class ListsSplitTest : public ::testing::Test {
 protected:
  absl::StatusOr<Split> Make(const Split& lists) {
    spec_.lists = lists;
    return MakeSplit(TwentyOfEach(), 10, spec_);
  }
  SplitSpec spec_{.rule = SplitRule::kLists};
};

TEST_F(ListsSplitTest, KeepsTheListsAndTheirOrder) {
  const Split lists{.labelled = {5, 3}, .unlabelled = {199, 0, 7}, .validation = {9}};
  const auto split = Make(lists);
  ASSERT_THAT(split, IsOk());
  EXPECT_EQ(*split, lists);
}

TEST_F(ListsSplitTest, RefusesIndicesOutOfRange) {
  EXPECT_THAT(Make({.labelled = {1, 200}}),
              FailsWith(kInvalid, "lists.labelled has index 200; allowed are 0 to 199"));
  EXPECT_THAT(Make({.validation = {-1}}), FailsWith(kInvalid, "lists.validation has index -1"));
}

TEST_F(ListsSplitTest, RefusesAnIndexThatIsListedTwice) {
  const Split twice[] = {{.labelled = {4, 4}},
                         {.labelled = {4}, .unlabelled = {4}},
                         {.labelled = {4}, .validation = {4}},
                         {.unlabelled = {4}, .validation = {4}}};
  for (const Split& lists : twice) {
    EXPECT_THAT(Make(lists), FailsWith(kInvalid, "has index 4, which is listed already"));
  }
}

TEST_F(ListsSplitTest, LetsLabelledImagesBeUnlabelledTooWhenAsked) {
  spec_.unlabelled_includes_labelled = true;
  const auto split = Make({.labelled = {4, 5}, .unlabelled = {4, 6}});
  ASSERT_THAT(split, IsOk());
  EXPECT_THAT(split->unlabelled, ElementsAre(4, 6, 5));
  EXPECT_THAT(Make({.unlabelled = {4}, .validation = {4}}), FailsWith(kInvalid, "index 4"));
}

TEST_F(ListsSplitTest, RefusesLabelledImagesWithoutALabel) {
  std::vector<int16_t> labels = TwentyOfEach();
  labels[2] = kNoLabel;
  spec_.lists.labelled = {2};
  EXPECT_THAT(MakeSplit(labels, 10, spec_), FailsWith(kInvalid, "image 2, which has no label"));
}

TEST(SplitTest, RefusesAnUnknownRule) {
  EXPECT_THAT(MakeSplit(TwentyOfEach(), 10, {.rule = static_cast<SplitRule>(6)}),
              FailsWith(kInvalid, "rule is 6; allowed are 0 to 5"));
}

class SplitFileTest : public ::testing::Test {
 protected:
  absl::StatusOr<Split> Read(const std::string& text) {
    std::ofstream(path_) << text;
    return ReadSplit(path_);
  }
  const testing::TempDir folder_;
  const std::string path_ = folder_.File("split.txt");
};

TEST_F(SplitFileTest, ReadsWhatWasWritten) {
  const auto split = MakeSplit(TwentyOfEach(), 10, {.labelled = 50, .validation = 10});
  ASSERT_THAT(WriteSplit(path_, *split), IsOk());
  const auto read = ReadSplit(path_);
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(*read, *split);
  ASSERT_THAT(WriteSplit(path_, {}), IsOk());
  EXPECT_EQ(*ReadSplit(path_), Split{});
}

TEST_F(SplitFileTest, LeavesNoOtherFileBehind) {
  ASSERT_THAT(WriteSplit(path_, {.labelled = {1}}), IsOk());
  const std::filesystem::directory_iterator files(folder_.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

TEST_F(SplitFileTest, IsTextWithComments) {
  const auto read = Read("# mine\n\nvalidation 3\t2 # the best\r\nlabelled\n");
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(*read, (Split{.validation = {3, 2}}));
}

TEST_F(SplitFileTest, NamesTheLineThatIsWrong) {
  EXPECT_THAT(Read("labelled 1\nunlabeled 2\n"), FailsWith(kInvalid, path_ + ":2: \"unlabeled\""));
  EXPECT_THAT(Read("labelled 1\nlabelled 2\n"), FailsWith(kInvalid, "\"labelled\" is there twice"));
  for (const char* index : {"x", "-1", "1.5", "2147483648"}) {
    EXPECT_THAT(Read(std::string("labelled 1 ") + index), FailsWith(kInvalid, ":1: \""));
  }
}

TEST_F(SplitFileTest, NamesAFileThatCannotBeReadOrWritten) {
  EXPECT_THAT(ReadSplit(path_), FailsWith(absl::StatusCode::kNotFound, path_));
  EXPECT_THAT(WriteSplit(folder_.File("none/split.txt"), {}),
              FailsWith(absl::StatusCode::kInternal, "none/split.txt"));
  // Not over a folder either, and then without a temporary file left.
  const std::string taken = folder_.File("taken");
  std::filesystem::create_directories(taken + "/full");
  EXPECT_THAT(WriteSplit(taken, {}), FailsWith(absl::StatusCode::kInternal, taken));
  const std::filesystem::directory_iterator files(folder_.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

}  // namespace
}  // namespace mixfeed
