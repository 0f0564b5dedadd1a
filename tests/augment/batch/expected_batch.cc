#include "tests/augment/batch/expected_batch.h"

#include <deque>

#include "augment/render/renderer.h"
#include "tests/testing/naive_renderer.h"

namespace mixfeed::testing {
namespace {

struct Weighted {
  int32_t row;
  double weight;
};

RenderView ViewOfRow(const Plan& plan, int32_t row) {
  const ViewPlan& view = plan.rows[static_cast<size_t>(row)];
  RenderView shown = {view.sample, view.crop_y, view.crop_x, view.flip};
  if (view.effects >= 0) shown.effects = &plan.effects[static_cast<size_t>(view.effects)];
  return shown;
}

// The further sources of a row, behind itself and its first partner.
std::vector<Weighted> FurtherSources(const Plan& plan, int32_t row) {
  std::vector<Weighted> sources;
  for (auto at = static_cast<size_t>(row); at < plan.more_partners.size();
       at += static_cast<size_t>(plan.size())) {
    sources.push_back({plan.more_partners[at], static_cast<double>(plan.more_weights[at])});
  }
  return sources;
}

// All that a row is mixed of.
std::vector<Weighted> AllSources(const Plan& plan, int32_t row) {
  const auto r = static_cast<size_t>(row);
  std::vector<Weighted> sources = FurtherSources(plan, row);
  double rest = 1 - static_cast<double>(plan.lambda[r]);
  for (const Weighted& source : sources) rest -= source.weight;
  sources.push_back({row, static_cast<double>(plan.lambda[r])});
  sources.push_back({plan.partner[r], rest});
  return sources;
}

}  // namespace

std::vector<double> ExpectedBatch::Pixels(std::span<const int32_t> row_index,
                                          const Normalisation& normalisation) const {
  std::deque<std::vector<WeightedView>> further;  // which the rows point into
  std::vector<RenderRow> rows;
  for (const int32_t row : row_index) {
    const auto r = static_cast<size_t>(row);
    RenderRow render;
    render.a = ViewOfRow(plan, row);
    if (plan.layer == 0) {
      render.b = ViewOfRow(plan, plan.partner[r]);
      render.lambda = plan.lambda[r];
      if (!plan.box.empty()) render.box = plan.box[r];
      further.emplace_back();
      for (const Weighted& source : FurtherSources(plan, row)) {
        further.back().push_back({ViewOfRow(plan, source.row), static_cast<float>(source.weight)});
      }
      render.more = further.back();
    }
    rows.push_back(render);
  }
  const bool test = recipe.rows == RowSource::kOrdered && recipe.ordered_pool == PoolId::kTest;
  const ImageSet& images = test ? dataset.test : dataset.train;
  return RenderNaively({dataset.shape, images.pixels, recipe.view.pad, recipe.view.pad_mode}, rows,
                       normalisation);
}

std::vector<double> ExpectedBatch::Target(int32_t row) const {
  if (recipe.mix.targets == TargetRule::kOwn) return SourceTarget(row);
  std::vector<double> target(static_cast<size_t>(dataset.num_classes()), 0.0);
  for (const Weighted& source : AllSources(plan, row)) {
    const std::vector<double> of_source = SourceTarget(source.row);
    for (size_t c = 0; c < target.size(); ++c) target[c] += source.weight * of_source[c];
  }
  return target;
}

std::vector<double> ExpectedBatch::SourceTarget(int32_t row) const {
  const auto classes = static_cast<size_t>(dataset.num_classes());
  const ViewPlan& view = plan.rows[static_cast<size_t>(row)];
  if (view.pool == PoolId::kUnlabelled && !guess.empty()) {
    const auto image = static_cast<size_t>((row - plan.labelled_rows) % plan.unlabelled_rows);
    const auto begin = guess.begin() + static_cast<std::ptrdiff_t>(image * classes);
    return {begin, begin + static_cast<std::ptrdiff_t>(classes)};
  }
  const ImageSet& images = view.pool == PoolId::kTest ? dataset.test : dataset.train;
  const int label = images.labels[static_cast<size_t>(view.sample)];
  const double share = 1.0 / static_cast<double>(classes);
  if (view.pool == PoolId::kUnlabelled || label == kNoLabel) {
    return std::vector<double>(classes, share);
  }
  std::vector<double> target(classes, recipe.mix.label_smoothing * share);
  target[static_cast<size_t>(label)] += 1 - recipe.mix.label_smoothing;
  return target;
}

}  // namespace mixfeed::testing
