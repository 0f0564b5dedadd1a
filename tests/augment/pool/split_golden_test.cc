// Splits against lists that NumPy made: goldens/make_split_goldens.py says how, and what the
// columns of goldens/split_goldens.txt are.

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <numeric>
#include <sstream>

#include "augment/pool/dataset_source.h"
#include "augment/pool/numpy_random.h"
#include "augment/pool/split.h"
#include "tests/augment/pool/real_cifar.h"
#include "tests/augment/pool/status_matchers.h"

namespace mixfeed {
namespace {

using testing::IsOk;

struct Golden {
  std::string rule;
  std::string vector;
  SplitSpec spec;
  std::string digests;  // of the three lists
};

std::vector<std::string> GoldenLines(const std::string& kind) {
  std::ifstream file(MIXFEED_GOLDENS_DIR "/split_goldens.txt");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(kind + " ")) lines.push_back(line.substr(kind.size() + 1));
  }
  return lines;
}

// The goldens of one label vector.
std::vector<Golden> Goldens(const std::string& vector) {
  const std::map<std::string, SplitRule> rules = {{"mixmatch", SplitRule::kMixMatch},
                                                  {"balanced", SplitRule::kBalanced},
                                                  {"random", SplitRule::kRandom},
                                                  {"all", SplitRule::kAll}};
  std::vector<Golden> goldens;
  for (const std::string& line : GoldenLines("split")) {
    std::istringstream words(line);
    Golden golden;
    words >> golden.rule >> golden.vector >> golden.spec.seed >> golden.spec.labelled >>
        golden.spec.validation >> std::ws;
    std::getline(words, golden.digests);
    golden.spec.rule = rules.at(golden.rule);
    if (golden.vector == vector) goldens.push_back(golden);
  }
  return goldens;
}

std::string Digest(const std::vector<int32_t>& list) {
  uint64_t hash = 0xCBF29CE484222325;
  for (int32_t index : list) {
    for (int shift = 0; shift < 32; shift += 8) {
      hash = (hash ^ (static_cast<uint32_t>(index) >> shift & 0xFF)) * 0x100000001B3;
    }
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  std::ostringstream digest;
  digest << list.size() << ' ' << text << ' ';
  if (list.empty()) {
    digest << "- -";
  } else {
    digest << list.front() << ' ' << list.back();
  }
  return digest.str();
}

// The labels that the goldens of `vector` were made from.
std::string LabelsDigest(const std::string& vector) {
  for (const std::string& line : GoldenLines("labels")) {
    if (line.starts_with(vector + " ")) return line.substr(vector.size() + 1);
  }
  return "";
}

std::string Digest(const std::vector<int16_t>& labels) {
  return Digest(std::vector<int32_t>(labels.begin(), labels.end()));
}

void ExpectGoldens(const std::string& vector, const std::vector<int16_t>& labels) {
  ASSERT_EQ(Digest(labels), LabelsDigest(vector));
  const std::vector<Golden> goldens = Goldens(vector);
  ASSERT_GE(goldens.size(), 6U);
  for (const Golden& golden : goldens) {
    const auto split = MakeSplit(labels, 10, golden.spec);
    ASSERT_THAT(split, IsOk());
    EXPECT_EQ(
        Digest(split->labelled) + " " + Digest(split->unlabelled) + " " + Digest(split->validation),
        golden.digests)
        << golden.rule << ", seed " << golden.spec.seed;
  }
}

TEST(SplitGoldenTest, EqualsTheReferenceOnBalancedLabels) {
  std::vector<int16_t> labels;
  for (int i = 0; i < 50000; ++i) labels.push_back(static_cast<int16_t>((i * 7 + i / 10) % 10));
  ExpectGoldens("balanced", labels);
}

TEST(SplitGoldenTest, EqualsTheReferenceOnImbalancedLabels) {
  std::vector<int16_t> labels;
  for (uint32_t i = 0; i < 20000; ++i) {
    const uint64_t r = (i * 2654435761U) >> 16;
    labels.push_back(static_cast<int16_t>((r * r * 10) >> 32));
  }
  ExpectGoldens("imbalanced", labels);
}

TEST(SplitGoldenTest, EqualsTheReferenceOnTheRealCifar10) {
  MIXFEED_SKIP_WITHOUT_REAL_CIFAR();
  const auto dataset = OpenDataset({.name = "cifar10", .path = testing::RealCifarFolder()});
  ASSERT_THAT(dataset, IsOk());
  if (Digest(dataset->train.labels) != LabelsDigest("cifar10")) {
    GTEST_SKIP() << "the images are in another order than those of the goldens";
  }
  ExpectGoldens("cifar10", dataset->train.labels);
}

TEST(SplitGoldenTest, GivesEachClassOfTheRealCifar10TheSameNumberOfLabels) {
  MIXFEED_SKIP_WITHOUT_REAL_CIFAR();
  const auto dataset = OpenDataset({.name = "cifar10", .path = testing::RealCifarFolder()});
  ASSERT_THAT(dataset, IsOk());
  EXPECT_EQ(dataset->train.count(), 50000);
  const auto split = MakeSplit(dataset->train.labels, 10, {.labelled = 250});
  ASSERT_THAT(split, IsOk());
  std::vector<int> per_class(10);
  for (int32_t i : split->labelled) {
    const int16_t label = dataset->train.labels[static_cast<size_t>(i)];
    ++per_class[static_cast<size_t>(label)];
  }
  EXPECT_THAT(per_class, ::testing::Each(25));
  EXPECT_EQ(split->unlabelled.size(), 49750U);
}

TEST(NumpyRandomTest, ShufflesAsNumpyDoes) {
  const std::vector<std::string> lines = GoldenLines("shuffle");
  ASSERT_EQ(lines.size(), 4U);
  for (const std::string& line : lines) {
    std::istringstream words(line);
    uint32_t seed = 0;
    words >> seed;
    const std::vector<int> expected{std::istream_iterator<int>(words), {}};
    std::vector<int> values(20);
    std::iota(values.begin(), values.end(), 0);
    NumpyRandom(seed).Shuffle(std::span(values));
    EXPECT_EQ(values, expected) << "seed " << seed;
  }
}

TEST(NumpyRandomTest, LeavesShortListsAlone) {
  NumpyRandom random(1);
  std::vector<int> none;
  random.Shuffle(std::span(none));
  std::vector<int> one = {7};
  random.Shuffle(std::span(one));
  EXPECT_EQ(one, std::vector<int>{7});
  EXPECT_EQ(random.Interval(0), 0U);
}

}  // namespace
}  // namespace mixfeed
