#ifndef MIXFEED_TESTS_AUGMENT_PLAN_PLAN_TESTING_H_
#define MIXFEED_TESTS_AUGMENT_PLAN_PLAN_TESTING_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "augment/plan/planner.h"
#include "augment/recipe/presets.h"

namespace mixfeed::testing {

inline constexpr int64_t kTestImages = 50;

// 40 labelled, 130 unlabelled and 30 validation images; no index is in two lists.
inline Split SmallSplit() {
  Split split;
  split.labelled.resize(40);
  split.unlabelled.resize(130);
  split.validation.resize(30);
  std::iota(split.labelled.begin(), split.labelled.end(), 100);
  std::iota(split.unlabelled.begin(), split.unlabelled.end(), 1000);
  std::iota(split.validation.begin(), split.validation.end(), 5000);
  return split;
}

inline FeedSpec PresetSpec(const std::string& preset, int batch = 16) {
  FeedSpec spec;
  spec.dataset = "small";
  spec.recipe = FindPreset(preset).value();
  spec.batch = batch;
  spec.seed = 42;
  return spec;
}

// Data of images of 32x32 with ten classes, sample by sample in turn.
inline PlannerData SmallData(Split split = SmallSplit()) {
  static const std::vector<int16_t>* const labels = [] {
    auto* const all = new std::vector<int16_t>(6000);
    for (size_t i = 0; i < all->size(); ++i) (*all)[i] = static_cast<int16_t>(i % 10);
    return all;
  }();
  return {.split = std::move(split), .test_count = kTestImages, .shape = {}, .labels = *labels};
}

// What a planner needs for the spec: SmallData, and a made-up index where it asks for neighbours,
// of each place those behind it.
inline PlannerData DataFor(const FeedSpec& spec, Split split = SmallSplit()) {
  PlannerData data = SmallData(std::move(split));
  const MixSpec& mix = spec.recipe.mix;
  if (!mix.enabled || mix.partner.neighbours == 0) return data;
  const auto count = static_cast<int32_t>(data.split.labelled.size());
  std::vector<int32_t> places;
  for (int32_t place = 0; place < count; ++place) {
    for (int32_t i = 1; i <= mix.partner.neighbours; ++i) places.push_back((place + i) % count);
  }
  data.neighbours = std::make_shared<const NeighbourIndex>(mix.partner.neighbours, places);
  return data;
}

inline std::unique_ptr<Planner> MakePlanner(const FeedSpec& spec, Split split = SmallSplit()) {
  auto planner = Planner::Create(spec, DataFor(spec, std::move(split)));
  EXPECT_TRUE(planner.ok()) << planner.status();
  return *std::move(planner);
}

inline std::vector<Plan> FirstPlans(const FeedSpec& spec, int64_t steps,
                                    const Split& split = SmallSplit()) {
  const auto planner = MakePlanner(spec, split);
  std::vector<Plan> plans;
  for (int64_t step = 0; step < steps; ++step) plans.push_back(planner->MakePlan(step).value());
  return plans;
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_PLAN_PLAN_TESTING_H_
