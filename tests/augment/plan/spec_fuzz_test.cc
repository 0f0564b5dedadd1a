// Random specs, most of them wrong: each is refused with a message that names a field, or its plans
// keep what a plan promises.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "augment/batch/target_maker.h"
#include "augment/recipe/fields.h"
#include "tests/augment/plan/plan_testing.h"
#include "tests/testing/sanitizers.h"

namespace mixfeed {
namespace {

constexpr int kSpecs = testing::Rounds(100000);
constexpr int kClasses = 10;

class RandomSpecs {
 public:
  // A preset with up to six fields changed, and a batch, a seed and a split of its own.
  FeedSpec Draw() {
    const std::span<const Preset> presets = Presets();
    FeedSpec spec;
    spec.dataset = Chance(0.01) ? "" : "small";
    spec.recipe = presets[Below(presets.size())].make();
    for (size_t changes = Below(7); changes > 0; --changes) ChangeOneField(&spec.recipe);
    spec.batch = Pick<int>({1, 2, 3, 7, 8, 8, 8, 16, 40, 41});
    if (Chance(0.002)) spec.batch = Pick<int>({kMaxBatch, kMaxBatch + 1, 0, -1, 1 << 30});
    if (Chance(0.01)) spec.plan_version = 2;
    spec.seed = random_();
    DrawSplit(&spec.split);
    return spec;
  }

  ImageShape DrawShape() {
    return Pick<ImageShape>(
        {{3, 32, 32}, {3, 32, 32}, {3, 32, 32}, {1, 28, 20}, {3, 2, 5}, {1, 1, 1}});
  }

 private:
  size_t Below(size_t bound) { return random_() % bound; }
  bool Chance(double probability) {
    return static_cast<double>(random_() >> 11) * 0x1p-53 < probability;
  }
  template <typename Value>
  Value Pick(std::initializer_list<Value> values) {
    return *(values.begin() + Below(values.size()));
  }

  void ChangeOneField(Recipe* recipe) {
    size_t count = 0;
    VisitFields(*recipe, [&count](const RecipeField&, auto&) { ++count; });
    size_t index = Below(count);
    VisitFields(*recipe, [&](const RecipeField& field, auto& value) {
      if (index-- == 0) value = NewValue(field, value);
    });
  }

  bool NewValue(const RecipeField&, bool value) { return !value; }
  std::string NewValue(const RecipeField&, const std::string&) { return Chance(0.5) ? "wrn" : ""; }
  int NewValue(const RecipeField& field, int) {
    const int low = static_cast<int>(field.low), high = static_cast<int>(field.high);
    const int inside = low + static_cast<int>(Below(static_cast<size_t>(high - low) + 1));
    if (Chance(0.7)) return Chance(0.5) ? inside : low + std::min(2, high - low);
    return Pick<int>({low, high, low - 1, high + 1, std::numeric_limits<int>::min(),
                      std::numeric_limits<int>::max()});
  }
  double NewValue(const RecipeField& field, double) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const double width = std::min(field.high - field.low, 8.0);
    if (Chance(0.7)) return field.low + width * static_cast<double>(Below(1001)) / 1000;
    return Pick<double>({field.low, field.high, std::nextafter(field.low, -kInfinity),
                         std::nextafter(field.high, kInfinity), -0.0, kInfinity,
                         std::numeric_limits<double>::quiet_NaN()});
  }
  std::vector<int> NewValue(const RecipeField& field, const std::vector<int>&) {
    std::vector<int> values(Chance(0.05) ? kMaxLayers + 1 : Below(4));
    for (int& value : values) value = NewValue(field, value);
    return values;
  }
  std::array<int, 3> NewValue(const RecipeField& field, const std::array<int, 3>& value) {
    return {NewValue(field, value[0]), NewValue(field, value[1]), NewValue(field, value[2])};
  }
  template <typename Enum>
  requires std::is_enum_v<Enum> Enum NewValue(const RecipeField&, Enum) {
    const size_t count = NamesOf(Enum()).size();
    return static_cast<Enum>(Chance(0.05) ? Pick<size_t>({count, 255}) : Below(count));
  }

  void DrawSplit(SplitSpec* split) {
    split->rule = static_cast<SplitRule>(Below(Chance(0.02) ? 256 : 6));
    split->unlabelled_includes_labelled = Chance(0.5);
    if (Chance(0.05)) split->labelled = Pick<int64_t>({-1, 0, int64_t{1} << 31, int64_t{1} << 62});
    if (Chance(0.05)) split->validation = Pick<int64_t>({-1, int64_t{1} << 31});
    if (Chance(0.05)) split->seed = Pick<uint64_t>({kMaxSplitSeed, kMaxSplitSeed + 1});
    if (Chance(0.5)) split->per_class.assign(kClasses, Chance(0.1) ? -1 : 4);
  }

  std::mt19937_64 random_{20};
};

// "FIELD is GIVEN; allowed: ALLOWED", with a path as fields have.
bool NamesAField(const std::string& message) {
  const size_t end = message.find(" is ");
  if (end == std::string::npos || message.find("; allowed: ") == std::string::npos) return false;
  return message.substr(0, end).find_first_not_of("abcdefghijklmnopqrstuvwxyz_.[]0123456789") ==
         std::string::npos;
}

bool IsInside(const Box& box, const ImageShape& shape) {
  return box.y0 >= 0 && box.x0 >= 0 && box.y1 <= shape.height && box.x1 <= shape.width;
}

void CheckViews(const Plan& plan, const Recipe& recipe, const ImageShape& shape) {
  for (const ViewPlan& view : plan.rows) {
    ASSERT_LE(view.flip, 1);
    ASSERT_TRUE(view.crop_y >= 0 && view.crop_y <= 2 * recipe.view.pad);
    ASSERT_TRUE(view.crop_x >= 0 && view.crop_x <= 2 * recipe.view.pad);
    ASSERT_LT(view.view, std::max(recipe.views, 1));
    ASSERT_TRUE(view.effects >= -1 && view.effects < static_cast<int64_t>(plan.effects.size()));
  }
  for (const ViewEffects& effects : plan.effects) {
    ASSERT_TRUE(IsInside(effects.hole, shape));
    for (const float value : effects.map) ASSERT_TRUE(std::isfinite(value));
    ASSERT_TRUE(std::isfinite(effects.brightness) && effects.contrast > 0);
  }
}

void CheckMixing(const Plan& plan, const Recipe& recipe, const ImageShape& shape) {
  const auto sent = static_cast<size_t>(plan.size());
  const auto rows = static_cast<int32_t>(plan.rows.size());
  ASSERT_EQ(plan.partner.size(), sent);
  ASSERT_EQ(plan.lambda.size(), sent);
  ASSERT_TRUE(plan.box.empty() || plan.box.size() == sent);
  ASSERT_EQ(plan.more_partners.size(), plan.more_weights.size());
  for (size_t row = 0; row < sent; ++row) {
    ASSERT_TRUE(plan.partner[row] >= 0 && plan.partner[row] < rows);
    ASSERT_TRUE(plan.lambda[row] >= 0 && plan.lambda[row] <= 1);
    if (!plan.box.empty()) {
      ASSERT_TRUE(IsInside(plan.box[row], shape));
    }
    double weights = static_cast<double>(plan.lambda[row]);
    for (size_t at = row; at < plan.more_partners.size(); at += sent) {
      ASSERT_TRUE(plan.more_partners[at] >= 0 && plan.more_partners[at] < rows);
      ASSERT_GE(plan.more_weights[at], 0);
      weights += static_cast<double>(plan.more_weights[at]);
    }
    ASSERT_LE(weights, 1);
  }
  const std::vector<int>& layers = recipe.mix.layers;
  ASSERT_TRUE(plan.layer == 0 || std::count(layers.begin(), layers.end(), plan.layer) == 1);
  ASSERT_TRUE(plan.unlabelled_weight >= 0 && plan.unlabelled_weight <= recipe.weight.value);
}

// Of the first rows; the images' classes are those of SmallData.
void CheckTargets(const Plan& plan, const Recipe& recipe, const PlannerData& data) {
  Dataset dataset;
  dataset.class_names.resize(kClasses);
  dataset.train.labels.assign(data.labels.begin(), data.labels.end());
  dataset.test.labels.resize(static_cast<size_t>(data.test_count));
  StepGuess guess;
  guess.probabilities.assign(static_cast<size_t>(plan.unlabelled_rows) * kClasses, 1.0f / kClasses);
  const TargetMaker maker(recipe, dataset, plan, guess);
  for (int32_t row = 0; row < std::min(plan.size(), 8); ++row) {
    std::vector<float> target(kClasses);
    maker.Write(TargetForm::kSoft, row, target);
    ASSERT_NEAR(std::accumulate(target.begin(), target.end(), 0.0), 1, 1e-6);
    ASSERT_GE(*std::min_element(target.begin(), target.end()), 0);
  }
}

// Returns whether there was a planner.
bool CheckPlans(const FeedSpec& spec, const ImageShape& shape) {
  PlannerData data = testing::DataFor(spec);
  data.shape = shape;
  const absl::StatusOr<std::unique_ptr<Planner>> planner = Planner::Create(spec, data);
  if (!planner.ok()) {
    EXPECT_TRUE(NamesAField(std::string(planner.status().message()))) << planner.status();
    return false;
  }
  const int world = spec.labelled_rows() % 2 == 0 ? 2 : 1;
  for (const int64_t step : {int64_t{0}, (*planner)->steps().value_or(kMaxStep) - 1}) {
    const absl::StatusOr<Plan> plan = (*planner)->MakePlan(step, world);
    EXPECT_TRUE(plan.ok()) << plan.status();
    if (!plan.ok()) break;
    CheckViews(*plan, spec.recipe, shape);
    CheckMixing(*plan, spec.recipe, shape);
    CheckTargets(*plan, spec.recipe, data);
  }
  return true;
}

TEST(SpecFuzzTest, ASpecIsRefusedByAFieldsNameOrItsPlansAreSound) {
  RandomSpecs random;
  int valid = 0, planned = 0;
  for (int i = 0; i < kSpecs && !::testing::Test::HasFailure(); ++i) {
    const FeedSpec spec = random.Draw();
    const ImageShape shape = random.DrawShape();
    const absl::Status status = ValidateFeedSpec(spec);
    if (!status.ok()) {
      EXPECT_TRUE(NamesAField(std::string(status.message()))) << status;
      continue;
    }
    ++valid;
    planned += CheckPlans(spec, shape) ? 1 : 0;
    EXPECT_FALSE(::testing::Test::HasFailure()) << CanonicalText(spec);
  }
  // That the draws reach both ends.
  EXPECT_GT(valid, kSpecs / 10);
  EXPECT_LT(valid, kSpecs * 9 / 10);
  EXPECT_GT(planned, valid / 2);
  RecordProperty("valid", valid);
  RecordProperty("planned", planned);
}

}  // namespace
}  // namespace mixfeed
