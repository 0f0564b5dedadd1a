#include "augment/batch/target_maker.h"

#include <algorithm>
#include <vector>

#include "augment/target/target.h"

namespace mixfeed {
namespace {

// All at once, since each comes from another part of memory.
std::vector<int16_t> LabelsOf(const Plan& plan, const Dataset& dataset) {
  std::vector<int16_t> labels;
  labels.reserve(plan.rows.size());
  for (const ViewPlan& view : plan.rows) {
    const Partition partition = view.pool == PoolId::kTest ? Partition::kTest : Partition::kTrain;
    labels.push_back(view.pool == PoolId::kUnlabelled
                         ? kNoLabel
                         : dataset.partition(partition).labels[static_cast<size_t>(view.sample)]);
  }
  return labels;
}

}  // namespace

TargetMaker::TargetMaker(const Recipe& recipe, const Dataset& dataset, const Plan& plan,
                         const StepGuess& guess)
    : recipe_(recipe), plan_(plan), guess_(guess), labels_(LabelsOf(plan, dataset)) {}

void TargetMaker::Write(TargetForm form, int32_t row, std::span<float> out) const {
  if (form == TargetForm::kPairs) return WritePair(row, out);
  WriteSoft(row, out);
}

void TargetMaker::WriteSoft(int32_t row, std::span<float> out) const {
  const auto r = static_cast<size_t>(row);
  if (recipe_.mix.targets == TargetRule::kMixed && !plan_.more_partners.empty()) {
    return WriteOfMany(row, out);
  }
  Source(row, out);
  if (plan_.partner[r] == row || recipe_.mix.targets == TargetRule::kOwn) return;
  std::vector<float> partner(out.size());
  Source(plan_.partner[r], partner);
  MixTargets(plan_.lambda[r], out, partner, out);
}

void TargetMaker::WriteOfMany(int32_t row, std::span<float> out) const {
  const auto r = static_cast<size_t>(row);
  const auto sent = static_cast<size_t>(plan_.size());
  std::vector<int32_t> rows = {row, plan_.partner[r]};
  std::vector<float> weights = {plan_.lambda[r], 1.0f};
  for (size_t at = r; at < plan_.more_partners.size(); at += sent) {
    rows.push_back(plan_.more_partners[at]);
    weights.push_back(plan_.more_weights[at]);
  }
  std::vector<float> sources(rows.size() * out.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    Source(rows[i], std::span(sources).subspan(i * out.size(), out.size()));
  }
  MixManyTargets(weights, sources, out);
}

void TargetMaker::WritePair(int32_t row, std::span<float> out) const {
  const auto r = static_cast<size_t>(row);
  const bool own = recipe_.mix.targets == TargetRule::kOwn;
  out[0] = LabelOf(row);
  out[1] = own ? out[0] : LabelOf(plan_.partner[r]);
  out[2] = own ? 1.0f : plan_.lambda[r];
}

void TargetMaker::Source(int32_t row, std::span<float> target) const {
  const ViewPlan& view = plan_.rows[static_cast<size_t>(row)];
  if (view.pool == PoolId::kUnlabelled && recipe_.guesses()) {
    const auto image = static_cast<size_t>((row - plan_.labelled_rows) % plan_.unlabelled_rows);
    const auto first =
        guess_.probabilities.begin() + static_cast<std::ptrdiff_t>(image * target.size());
    std::copy_n(first, target.size(), target.begin());
    return;
  }
  const int16_t label = LabelOf(row);
  if (label == kNoLabel) {
    std::fill(target.begin(), target.end(), 1.0f / static_cast<float>(target.size()));
  } else {
    SmoothOneHot(label, recipe_.mix.label_smoothing, target);
  }
}

}  // namespace mixfeed
