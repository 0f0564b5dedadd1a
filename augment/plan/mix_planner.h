#ifndef MIXFEED_AUGMENT_PLAN_MIX_PLANNER_H_
#define MIXFEED_AUGMENT_PLAN_MIX_PLANNER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "augment/plan/box_sampler.h"
#include "augment/plan/dirichlet_sampler.h"
#include "augment/plan/lambda_sampler.h"
#include "augment/plan/plan.h"
#include "augment/pool/dataset.h"
#include "augment/recipe/feed_spec.h"

namespace mixfeed {

// Plans how the rows of a step are mixed: with what, by which weights, in which boxes. A pure
// function of (spec, step, the rows' views). Immutable.
class MixPlanner {
 public:
  // `labels`: of the training partition, by sample; read when partners depend on classes.
  MixPlanner(const FeedSpec& spec, const ImageShape& shape, std::span<const int16_t> labels);

  // Fills in partner, lambda, box, the further sources and the layer of `plan`, whose views are
  // there: first those that may be mixed, then, if the recipe draws partners, one for each of them.
  // `world`: where a hidden layer is mixed, partners stay within the parts that so many consumers
  // of the step get (Share in batch/batch.h), since a trainer has the activations of its part only.
  // It divides the labelled rows.
  void Mix(int world, Plan* plan) const;

 private:
  // How the rows of a step are mixed, as long as all of them are; rows.size() of each.
  struct Draws {
    std::vector<int32_t> partner;
    std::vector<bool> mixed;
    std::vector<double> lambda;
    std::vector<Box> box;
  };

  void MixNothing(Plan* plan) const;
  int DrawLayer(int64_t step) const;
  std::vector<int32_t> DrawAllPartners(const Plan& plan, int world, int source,
                                       std::vector<bool>* mixed) const;
  void PairClasses(const Plan& plan, int world, std::vector<int32_t>* partner) const;
  void PairParts(const Plan& plan, int world, int source, std::vector<int32_t>* partner,
                 std::vector<bool>* mixed) const;
  void DropByChance(int64_t step, std::vector<bool>* mixed) const;
  void DropBeyondShare(const Plan& plan, std::vector<bool>* mixed) const;
  void DrawWeights(int64_t step, Draws* draws) const;
  void DrawBoxes(int64_t step, const std::vector<size_t>& units,
                 std::vector<DrawnBox>* of_unit) const;
  void Write(const Draws& draws, Plan* plan) const;
  void WriteFurtherSources(const std::vector<bool>& mixed, int world, Plan* plan) const;

  const FeedSpec spec_;
  const std::span<const int16_t> labels_;
  const LambdaSampler lambda_;
  const BoxSampler box_;
  const DirichletSampler dirichlet_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_MIX_PLANNER_H_
