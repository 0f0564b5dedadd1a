#include "server/core/model_lineage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "augment/guess/not_yet.h"

namespace mixfeed {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = WeightsWish::Kind;

class FakeModel final : public GuessModel {
 public:
  const GuessModelInfo& info() const override { return info_; }
  absl::Status Guess(std::span<const float>, int, bool, std::span<float>) override {
    return absl::UnimplementedError("fake");
  }

 private:
  const GuessModelInfo info_ = {};
};

ModelVersion Version(uint64_t version, int64_t update, int64_t bytes = 10) {
  return {.version = version,
          .update = update,
          .pushed = {.digest = "w", .bytes = bytes, .loaded = std::make_shared<FakeModel>()},
          .ema = std::nullopt};
}

// Initial version 2 of update 5, then one version for each of `updates`.
ModelLineage Lineage(const std::vector<int64_t>& updates, const VersionLimits& limits = {}) {
  ModelLineage lineage("m", Version(2, 5), limits);
  for (const int64_t update : updates) lineage.Add(Version(lineage.newest().version + 1, update));
  return lineage;
}

// The version found; -1 for what may still be pushed, -2 for what is no longer kept.
int64_t Find(const ModelLineage& lineage, Kind kind, int64_t number = 0) {
  const auto found = lineage.Find({kind, number});
  if (found.ok()) return static_cast<int64_t>((*found)->version);
  return IsNotYet(found.status()) ? -1 : -2;
}

std::vector<uint64_t> Kept(const ModelLineage& lineage) {
  std::vector<uint64_t> versions;
  for (const ModelVersion& version : lineage.versions()) versions.push_back(version.version);
  return versions;
}

TEST(ModelLineageTest, FindsByUpdateVersionAndNewest) {
  const ModelLineage lineage = Lineage({6, 7, 9});
  EXPECT_EQ(Find(lineage, Kind::kNewest), 5);
  EXPECT_EQ(Find(lineage, Kind::kUpdate, 0), 2);  // the start, whatever its count
  EXPECT_EQ(Find(lineage, Kind::kUpdate, 5), 2);
  EXPECT_EQ(Find(lineage, Kind::kUpdate, 7), 4);
  EXPECT_EQ(Find(lineage, Kind::kUpdate, 8), -2);
  EXPECT_EQ(Find(lineage, Kind::kUpdate, 3), -2);
  EXPECT_EQ(Find(lineage, Kind::kUpdate, 10), -1);
  EXPECT_EQ(Find(lineage, Kind::kVersion, 4), 4);
  EXPECT_EQ(Find(lineage, Kind::kVersion, 1), -2);
  EXPECT_EQ(Find(lineage, Kind::kVersion, 6), -1);
}

TEST(ModelLineageTest, OfSeveralVersionsOfAnUpdateTheLastCounts) {
  const ModelLineage lineage = Lineage({6, 7, 8, 7});
  EXPECT_EQ(Find(lineage, Kind::kUpdate, 7), 6);
  EXPECT_EQ(Find(lineage, Kind::kNewest), 6);
  EXPECT_EQ(Find(lineage, Kind::kUpdate, 8), -1);  // of the trainer that went back
}

TEST(ModelLineageTest, MessagesSayWhatThereIs) {
  const ModelLineage lineage = Lineage({6, 7}, {.versions = 2});
  EXPECT_THAT(std::string(lineage.Find({Kind::kUpdate, 9}).status().message()),
              AllOf(HasSubstr("update 9 of model \"m\" are not pushed yet"),
                    HasSubstr("the newest are of update 7, version 4")));
  EXPECT_THAT(std::string(lineage.Find({Kind::kUpdate, 6}).status().message()),
              AllOf(HasSubstr("update 6 of model \"m\" were not pushed or are no longer kept"),
                    HasSubstr("the initial ones and updates 7..7 (--keep-versions)")));
  EXPECT_THAT(std::string(lineage.Find({Kind::kVersion, 3}).status().message()),
              HasSubstr("the initial ones and versions 4..4"));
}

TEST(ModelLineageTest, KeepsTheInitialVersionAndTheNewestWithinTheLimits) {
  ModelLineage lineage = Lineage({}, {.versions = 3});
  EXPECT_THAT(lineage.Add(Version(3, 6)), IsEmpty());
  EXPECT_THAT(lineage.Add(Version(4, 7)), IsEmpty());
  const std::vector<ModelVersion> dropped = lineage.Add(Version(5, 8));
  ASSERT_EQ(dropped.size(), 1u);
  EXPECT_EQ(dropped[0].version, 3u);
  EXPECT_THAT(Kept(lineage), ElementsAre(2, 4, 5));
}

TEST(ModelLineageTest, BytesAreLimitedToo) {
  ModelLineage lineage = Lineage({6, 7}, {.bytes = 25});
  EXPECT_EQ(lineage.Add(Version(5, 8)).size(), 1u);
  EXPECT_THAT(Kept(lineage), ElementsAre(2, 4, 5));
  // More than all may have: the newest stays.
  EXPECT_EQ(lineage.Add(Version(6, 9, /*bytes=*/100)).size(), 2u);
  EXPECT_THAT(Kept(lineage), ElementsAre(2, 6));
  // What was dropped is no longer counted.
  EXPECT_EQ(lineage.Add(Version(7, 10)).size(), 1u);
  EXPECT_THAT(lineage.Add(Version(8, 11)), IsEmpty());
}

TEST(ModelLineageTest, OnlySoManyVersionsStayLoaded) {
  ModelLineage lineage = Lineage({6, 7, 8}, {.loaded_bytes = 20});
  const auto loaded = [&lineage] {
    std::vector<bool> flags;
    for (const ModelVersion& version : lineage.versions()) {
      flags.push_back(version.pushed.loaded != nullptr);
    }
    return flags;
  };
  EXPECT_THAT(loaded(), ElementsAre(true, false, true, true));
  // An old one that was asked for stays loaded; the newest but one makes room.
  lineage.SetLoaded(3, /*ema=*/false, std::make_shared<FakeModel>());
  EXPECT_THAT(loaded(), ElementsAre(true, true, false, true));
  lineage.SetLoaded(99, /*ema=*/false, std::make_shared<FakeModel>());  // no longer kept
  lineage.Add(Version(6, 9, /*bytes=*/1000));
  EXPECT_THAT(loaded(), ElementsAre(true, false, false, false, true));  // the newest always is
}

TEST(ModelLineageTest, AveragesCountAsVersionsDo) {
  const auto with_average = [](uint64_t version, int64_t update) {
    ModelVersion made = Version(version, update);
    made.ema = made.pushed;
    return made;
  };
  ModelLineage lineage("m", with_average(2, 5), {.bytes = 45, .loaded_bytes = 30});
  lineage.Add(with_average(3, 6));
  lineage.Add(with_average(4, 7));
  const ModelVersion& middle = lineage.versions()[1];
  EXPECT_NE(middle.pushed.loaded, nullptr);
  EXPECT_EQ(middle.ema->loaded, nullptr);  // the newest's two and its own first are the limit
  EXPECT_EQ(lineage.Add(with_average(5, 8)).size(), 1u);
  EXPECT_THAT(Kept(lineage), ElementsAre(2, 4, 5));
}

TEST(ModelLineageTest, AnUpdateGoesOnFromTheNewestBelowItInItsCourse) {
  ModelLineage lineage = Lineage({6, 8, 10});
  EXPECT_EQ(lineage.Before(11).version, 5u);
  EXPECT_EQ(lineage.Before(9).version, 4u);  // the trainer went back to 9
  lineage.Add(Version(6, 9));
  EXPECT_EQ(lineage.Before(10).version, 6u);
  EXPECT_EQ(lineage.Before(9).version, 4u);
  EXPECT_EQ(lineage.Before(5).version, 2u);  // nothing is below: the initial one
}

TEST(ModelLineageTest, UpdateZeroIsTheStartOfTheTrainersLastCourse) {
  const ModelLineage lineage = Lineage({6, 0, 1});
  EXPECT_EQ(Find(lineage, Kind::kUpdate, 0), 4);
  EXPECT_EQ(Find(lineage, Kind::kUpdate, 1), 5);
}

TEST(ModelLineageTest, AllButTheInitialVersionCanBeDropped) {
  ModelLineage lineage = Lineage({6, 7}, {.bytes = 25});
  lineage.Drop(3);
  EXPECT_THAT(Kept(lineage), ElementsAre(2, 4));
  EXPECT_THAT(lineage.Add(Version(5, 8)), IsEmpty());  // its bytes are no longer counted
  for (const uint64_t version : {5u, 2u, 99u}) lineage.Drop(version);
  EXPECT_THAT(Kept(lineage), ElementsAre(2, 4));
}

}  // namespace
}  // namespace mixfeed
