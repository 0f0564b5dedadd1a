#include "augment/plan/mix_planner.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "augment/plan/pairing.h"

namespace mixfeed {
namespace {

// Pair groups of one part of a step: streams of different parts are this far apart.
constexpr uint32_t kMaxGroups = 16;
static_assert(kMaxViews + 1 < kMaxGroups && kMaxBatch * kMaxGroups <= 1 << 16,
              "a Philox counter has 16 bits for the row");

// Which of a step's `rows` rows share a draw, as a count from 0.
size_t UnitOf(DrawScope scope, size_t row, size_t rows) {
  switch (scope) {
    case DrawScope::kPerRow:
      return row;
    case DrawScope::kPerPair:
      return std::min(row, rows - 1 - row);
    case DrawScope::kPerBatch:
      break;
  }
  return 0;
}

size_t UnitsOf(DrawScope scope, size_t rows) {
  switch (scope) {
    case DrawScope::kPerRow:
      return rows;
    case DrawScope::kPerPair:
      return (rows + 1) / 2;
    case DrawScope::kPerBatch:
      break;
  }
  return 1;
}

// The rank-th of `world` equal parts of `count` rows from `first` on.
std::vector<int32_t> PartOf(int first, int count, int rank, int world) {
  const auto begin = static_cast<int32_t>(first + int64_t{count} * rank / world);
  const auto end = static_cast<int32_t>(first + int64_t{count} * (rank + 1) / world);
  std::vector<int32_t> rows(static_cast<size_t>(end - begin));
  std::iota(rows.begin(), rows.end(), begin);
  return rows;
}

// To a multiple of 2^-24: of such weights every sum is exact, and what they leave of 1, the first
// partner's weight, cannot fall below 0.
float RoundedDown(double weight) {
  return static_cast<float>(std::floor(weight * 0x1p24) * 0x1p-24);
}

}  // namespace

MixPlanner::MixPlanner(const FeedSpec& spec, const ImageShape& shape,
                       std::span<const int16_t> labels)
    : spec_(spec),
      labels_(labels),
      lambda_(spec.recipe.mix),
      box_(spec.recipe.mix.cutmix, shape),
      dirichlet_(spec.recipe.mix.sources, spec.recipe.mix.alpha) {}

void MixPlanner::Mix(int world, Plan* plan) const {
  if (!spec_.recipe.mix.enabled) return MixNothing(plan);
  plan->layer = DrawLayer(plan->step);
  const int parts = plan->layer == 0 ? 1 : world;
  Draws draws;
  draws.partner = DrawAllPartners(*plan, parts, 0, &draws.mixed);
  DropByChance(plan->step, &draws.mixed);
  DropBeyondShare(*plan, &draws.mixed);
  if (spec_.recipe.mix.sources == 2) DrawWeights(plan->step, &draws);
  Write(draws, plan);
  if (spec_.recipe.mix.sources > 2) WriteFurtherSources(draws.mixed, parts, plan);
}

void MixPlanner::MixNothing(Plan* plan) const {
  plan->partner.resize(static_cast<size_t>(plan->size()));
  std::iota(plan->partner.begin(), plan->partner.end(), 0);
  plan->lambda.assign(plan->partner.size(), 1.0f);
}

int MixPlanner::DrawLayer(int64_t step) const {
  const std::vector<int>& layers = spec_.recipe.mix.layers;
  if (layers.empty()) return 0;
  PhiloxStream stream(spec_.seed, Purpose::kLayer, static_cast<uint64_t>(step));
  return layers[UniformInt(static_cast<uint32_t>(layers.size()), &stream)];
}

std::vector<int32_t> MixPlanner::DrawAllPartners(const Plan& plan, int world, int source,
                                                 std::vector<bool>* mixed) const {
  const PartnerSpec& spec = spec_.recipe.mix.partner;
  const size_t rows =
      spec.source == PartnerSource::kBatch ? plan.rows.size() : plan.rows.size() / 2;
  std::vector<int32_t> partner(rows);
  mixed->assign(rows, true);
  if (spec.source != PartnerSource::kBatch) {
    std::iota(partner.begin(), partner.end(), static_cast<int32_t>(rows));
  } else if (spec.classes != PartnerClass::kAny) {
    PairClasses(plan, world, &partner);
  } else {
    PairParts(plan, world, source, &partner, mixed);
  }
  return partner;
}

void MixPlanner::PairClasses(const Plan& plan, int world, std::vector<int32_t>* partner) const {
  std::vector<int16_t> labels;
  for (const ViewPlan& row : plan.rows) labels.push_back(labels_[static_cast<size_t>(row.sample)]);
  for (int part = 0; part < world; ++part) {
    const std::vector<int32_t> rows = PartOf(0, static_cast<int>(labels.size()), part, world);
    std::vector<int16_t> of_part;
    for (const int32_t row : rows) of_part.push_back(labels[static_cast<size_t>(row)]);
    const std::vector<int32_t> drawn = DrawPartnersOfClass(
        spec_.recipe.mix.partner.classes, of_part,
        {.seed = spec_.seed, .step = plan.step, .row = static_cast<uint32_t>(rows.front())});
    for (size_t i = 0; i < rows.size(); ++i) {
      (*partner)[static_cast<size_t>(rows[i])] = rows[static_cast<size_t>(drawn[i])];
    }
  }
}

void MixPlanner::PairParts(const Plan& plan, int world, int source, std::vector<int32_t>* partner,
                           std::vector<bool>* mixed) const {
  const MixSpec& mix = spec_.recipe.mix;
  std::iota(partner->begin(), partner->end(), 0);
  mixed->assign(partner->size(), false);
  const int labelled = static_cast<int>(partner->size()) - plan.views * plan.unlabelled_rows;
  for (int part = 0; part < world; ++part) {
    std::vector<std::vector<int32_t>> y;
    for (int k = 0; k < plan.views; ++k) {
      y.push_back(PartOf(labelled + k * plan.unlabelled_rows, plan.unlabelled_rows, part, world));
    }
    uint32_t place = static_cast<uint32_t>(part) * kMaxGroups;
    for (const PairGroup& group : PairGroupsOf(mix.mode, PartOf(0, labelled, part, world), y)) {
      const std::vector<int32_t> drawn =
          DrawPartners(mix.pairing, static_cast<int>(group.pool.size()),
                       PhiloxStream(spec_.seed, Purpose::kPairing, static_cast<uint64_t>(plan.step),
                                    place++, static_cast<uint32_t>(source)));
      for (size_t i = 0; i < group.rows.size(); ++i) {
        const auto row = static_cast<size_t>(group.rows[i]);
        (*partner)[row] = group.pool[static_cast<size_t>(drawn[group.first + i])];
        (*mixed)[row] = true;
      }
    }
  }
}

void MixPlanner::DropByChance(int64_t step, std::vector<bool>* mixed) const {
  const MixSpec& mix = spec_.recipe.mix;
  if (mix.probability >= 1) return;
  const size_t rows = mixed->size();
  std::vector<bool> of_unit(UnitsOf(mix.probability_scope, rows));
  for (size_t unit = 0; unit < of_unit.size(); ++unit) {
    PhiloxStream stream(spec_.seed, Purpose::kMixed, static_cast<uint64_t>(step),
                        static_cast<uint32_t>(unit));
    of_unit[unit] = Bernoulli(mix.probability, &stream);
  }
  for (size_t row = 0; row < rows; ++row) {
    if (!of_unit[UnitOf(mix.probability_scope, row, rows)]) (*mixed)[row] = false;
  }
}

void MixPlanner::DropBeyondShare(const Plan& plan, std::vector<bool>* mixed) const {
  const double share = spec_.recipe.mix.share;
  if (share >= 1) return;
  const int rows = plan.size();
  const std::vector<int32_t> order =
      DrawPartners(Pairing::kPermutation, rows,
                   PhiloxStream(spec_.seed, Purpose::kShare, static_cast<uint64_t>(plan.step)));
  const auto kept = static_cast<size_t>(std::floor(share * rows + 0.5));
  for (size_t i = kept; i < order.size(); ++i) (*mixed)[static_cast<size_t>(order[i])] = false;
}

void MixPlanner::DrawWeights(int64_t step, Draws* draws) const {
  const MixSpec& mix = spec_.recipe.mix;
  const auto index = static_cast<uint64_t>(step);
  const size_t rows = draws->partner.size();
  const size_t units = UnitsOf(mix.lambda_scope, rows);
  std::vector<PhiloxStream> blend_streams;
  std::vector<size_t> blends;
  std::vector<size_t> boxes;
  for (size_t unit = 0; unit < units; ++unit) {
    const auto row = static_cast<uint32_t>(unit);
    PhiloxStream choice(spec_.seed, Purpose::kCutMix, index, row);
    if (mix.cutmix.probability > 0 && Bernoulli(mix.cutmix.probability, &choice)) {
      boxes.push_back(unit);
    } else {
      blends.push_back(unit);
      blend_streams.emplace_back(spec_.seed, Purpose::kLambda, index, row);
    }
  }
  std::vector<double> lambdas(blends.size());
  lambda_.Draw(blend_streams, lambdas);
  std::vector<DrawnBox> of_unit(units);
  for (size_t i = 0; i < blends.size(); ++i) of_unit[blends[i]].lambda = lambdas[i];
  DrawBoxes(step, boxes, &of_unit);
  draws->lambda.resize(rows);
  if (!boxes.empty()) draws->box.resize(rows);
  for (size_t row = 0; row < rows; ++row) {
    const DrawnBox& drawn = of_unit[UnitOf(mix.lambda_scope, row, rows)];
    draws->lambda[row] = drawn.lambda;
    if (!boxes.empty()) draws->box[row] = drawn.box;
  }
}

void MixPlanner::DrawBoxes(int64_t step, const std::vector<size_t>& units,
                           std::vector<DrawnBox>* of_unit) const {
  std::vector<PhiloxStream> streams;
  streams.reserve(units.size());
  for (const size_t unit : units) {
    streams.emplace_back(spec_.seed, Purpose::kBox, static_cast<uint64_t>(step),
                         static_cast<uint32_t>(unit));
  }
  std::vector<DrawnBox> drawn(units.size());
  box_.Draw(streams, drawn);
  for (size_t i = 0; i < units.size(); ++i) (*of_unit)[units[i]] = drawn[i];
}

void MixPlanner::Write(const Draws& draws, Plan* plan) const {
  const auto sent = static_cast<size_t>(plan->size());
  plan->partner.resize(sent);
  plan->lambda.resize(sent);
  if (!draws.box.empty()) plan->box.resize(sent);
  for (size_t row = 0; row < sent; ++row) {
    const bool mixed = draws.mixed[row];
    plan->partner[row] = mixed ? draws.partner[row] : static_cast<int32_t>(row);
    plan->lambda[row] = mixed && !draws.lambda.empty() ? static_cast<float>(draws.lambda[row]) : 1;
    if (mixed && !draws.box.empty()) plan->box[row] = draws.box[row];
  }
}

void MixPlanner::WriteFurtherSources(const std::vector<bool>& mixed, int world, Plan* plan) const {
  const MixSpec& mix = spec_.recipe.mix;
  const auto sources = static_cast<size_t>(mix.sources);
  const size_t rows = mixed.size();
  std::vector<double> weights(UnitsOf(mix.lambda_scope, rows) * sources);
  dirichlet_.Draw(spec_.seed, plan->step, weights);
  plan->more_partners.resize((sources - 2) * rows);
  plan->more_weights.resize((sources - 2) * rows);
  for (size_t s = 2; s < sources; ++s) {
    std::vector<bool> all;
    const std::vector<int32_t> partner =
        DrawAllPartners(*plan, world, static_cast<int>(s) - 1, &all);
    for (size_t row = 0; row < rows; ++row) {
      const double* const of_row = &weights[UnitOf(mix.lambda_scope, row, rows) * sources];
      const size_t at = (s - 2) * rows + row;
      plan->more_partners[at] = mixed[row] ? partner[row] : static_cast<int32_t>(row);
      plan->more_weights[at] = mixed[row] ? RoundedDown(of_row[s]) : 0;
      if (mixed[row]) plan->lambda[row] = RoundedDown(of_row[0]);
    }
  }
}

}  // namespace mixfeed
