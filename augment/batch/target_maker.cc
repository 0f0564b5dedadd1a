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
  if (recipe_.mix.targets == TargetRule::kOwn) return Source(row, out);
  const auto sent = static_cast<size_t>(plan_.size());
  std::vector<int32_t> rows = {row, plan_.partner[r]};
  std::vector<float> weights = {plan_.lambda[r], 1.0f};
  for (size_t at = r; at < plan_.more_partners.size(); at += sent) {
    rows.push_back(plan_.more_partners[at]);
    weights.push_back(plan_.more_weights[at]);
  }
  const auto source = [this](int32_t image, std::span<float> target) { Source(image, target); };
  MixRowTarget(rows, weights, source, out);
}

void TargetMaker::WritePair(int32_t row, std::span<float> out) const {
  const auto r = static_cast<size_t>(row);
  const bool own = recipe_.mix.targets == TargetRule::kOwn;
  out[0] = LabelOf(row);
  out[1] = own ? out[0] : LabelOf(plan_.partner[r]);
  out[2] = own ? 1.0f : plan_.lambda[r];
}

int32_t TargetMaker::GuessOf(int32_t row) const {
  const bool guessed =
      plan_.rows[static_cast<size_t>(row)].pool == PoolId::kUnlabelled && recipe_.guesses();
  return guessed ? (row - plan_.labelled_rows) % plan_.unlabelled_rows : -1;
}

void TargetMaker::Source(int32_t row, std::span<float> target) const {
  const int32_t image = GuessOf(row);
  if (image < 0) return WriteUnguessed(row, target);
  const auto at = static_cast<size_t>(image) * target.size();
  std::copy_n(guess_.probabilities.begin() + static_cast<std::ptrdiff_t>(at), target.size(),
              target.begin());
}

void TargetMaker::WriteUnguessed(int32_t row, std::span<float> out) const {
  const int16_t label = LabelOf(row);
  if (GuessOf(row) >= 0) {
    std::fill(out.begin(), out.end(), 0.0f);
  } else if (label == kNoLabel) {
    std::fill(out.begin(), out.end(), 1.0f / static_cast<float>(out.size()));
  } else {
    SmoothOneHot(label, recipe_.mix.label_smoothing, out);
  }
}

}  // namespace mixfeed
