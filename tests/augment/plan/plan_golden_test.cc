// Holds the planner to plan_v1.txt, which plan_v1.py makes with code of its own. A failure means
// that the same spec would give other plans than before: raise kPlanVersion, or undo the change.

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <numeric>
#include <sstream>
#include <string>

#include "absl/strings/str_format.h"
#include "augment/plan/planner.h"
#include "augment/recipe/enum_names.h"

namespace mixfeed {
namespace {

using Fields = std::map<std::string, std::string>;

Fields ParseFields(std::istringstream line) {
  Fields fields;
  for (std::string word; line >> word;) {
    const size_t equals = word.find('=');
    fields[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return fields;
}

template <typename Enum>
Enum ParseEnum(const std::string& name) {
  const auto names = NamesOf(Enum{});
  for (size_t i = 0; i < names.size(); ++i) {
    if (name == names[i]) return static_cast<Enum>(i);
  }
  ADD_FAILURE() << "unknown name " << name;
  return Enum{};
}

FeedSpec MakeSpec(const Fields& fields) {
  FeedSpec spec;
  spec.dataset = "golden";
  spec.seed = std::stoull(fields.at("seed"));
  spec.batch = std::stoi(fields.at("batch"));
  Recipe& recipe = spec.recipe;
  recipe.rows = ParseEnum<RowSource>(fields.at("rows"));
  recipe.views = std::stoi(fields.at("views"));
  recipe.view.flip_probability = std::stod(fields.at("flip"));
  recipe.view.pad = std::stoi(fields.at("pad"));
  recipe.labelled_sampling = ParseEnum<Sampling>(fields.at("labelled_sampling"));
  recipe.unlabelled_sampling = ParseEnum<Sampling>(fields.at("unlabelled_sampling"));
  recipe.mix.enabled = fields.at("mix") == "1";
  recipe.mix.alpha = std::stod(fields.at("alpha"));
  recipe.mix.beta = std::stod(fields.at("beta"));
  recipe.mix.lambda_scope = ParseEnum<DrawScope>(fields.at("lambda_scope"));
  recipe.mix.lambda_floor = fields.at("lambda_floor") == "1";
  recipe.mix.pairing = ParseEnum<Pairing>(fields.at("pairing"));
  return spec;
}

// Labelled samples are numbered from 0, unlabelled ones after them.
Split MakeNumberedSplit(const Fields& fields) {
  Split split;
  split.labelled.resize(std::stoul(fields.at("labelled")));
  split.unlabelled.resize(std::stoul(fields.at("unlabelled")));
  std::iota(split.labelled.begin(), split.labelled.end(), 0);
  std::iota(split.unlabelled.begin(), split.unlabelled.end(),
            static_cast<int32_t>(split.labelled.size()));
  return split;
}

std::string RowText(const Plan& plan, size_t row) {
  const ViewPlan& view = plan.rows[row];
  return absl::StrFormat("%s %d view %d crop %d %d flip %d partner %d lambda %.9g",
                         NameOf(view.pool), view.sample, view.view, view.crop_y, view.crop_x,
                         view.flip, plan.partner[row], plan.lambda[row]);
}

TEST(PlanGoldenTest, PlansAreThoseOfVersionOne) {
  ASSERT_EQ(kPlanVersion, 1u);
  std::ifstream file(MIXFEED_PLAN_GOLDENS);
  ASSERT_TRUE(file) << MIXFEED_PLAN_GOLDENS;
  std::unique_ptr<Planner> planner;
  Plan plan;
  size_t row = 0;
  int rows_checked = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("#", 0) == 0) continue;
    if (line.rfind("feed ", 0) == 0) {
      const Fields fields = ParseFields(std::istringstream(line.substr(5)));
      auto created = Planner::Create(MakeSpec(fields), {.split = MakeNumberedSplit(fields)});
      ASSERT_TRUE(created.ok()) << created.status();
      planner = *std::move(created);
    } else if (line.rfind("step ", 0) == 0) {
      ASSERT_EQ(row, plan.rows.size());
      plan = planner->MakePlan(std::stoll(line.substr(5))).value();
      row = 0;
    } else {
      ASSERT_LT(row, plan.rows.size());
      EXPECT_EQ(RowText(plan, row++), line) << "step " << plan.step;
      ++rows_checked;
    }
  }
  EXPECT_EQ(row, plan.rows.size());
  EXPECT_GT(rows_checked, 150);
}

}  // namespace
}  // namespace mixfeed
