#ifndef MIXFEED_AUGMENT_PLAN_PARTNER_POOL_H_
#define MIXFEED_AUGMENT_PLAN_PARTNER_POOL_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "augment/neighbour/neighbour_index.h"
#include "augment/plan/philox.h"
#include "augment/plan/sample_stream.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

// Draws partners from a pool: uniform over what PartnerSpec allows a row. Immutable.
class PartnerPool {
 public:
  // `samples`: the pool's list. `labels`: of the partition, by sample; read when classes matter.
  // `neighbours`: of the list's places; needed exactly when the spec has neighbours.
  PartnerPool(const PartnerSpec& spec, std::span<const int32_t> samples,
              std::span<const int16_t> labels, std::shared_ptr<const NeighbourIndex> neighbours);

  // The partner of `row`; the row itself when nothing else is allowed.
  DrawnSample Draw(const DrawnSample& row, PhiloxStream* stream) const;

 private:
  int16_t LabelOf(int32_t place) const;
  int32_t DrawPlace(int32_t own, PhiloxStream* stream) const;

  const PartnerSpec spec_;
  const std::span<const int32_t> samples_;
  const std::span<const int16_t> labels_;
  const std::shared_ptr<const NeighbourIndex> neighbours_;
  // Places ordered by class, then place; class c has first_[c] ... first_[c + 1] - 1. Empty when
  // classes do not matter.
  std::vector<int32_t> by_class_;
  std::vector<uint32_t> first_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_PARTNER_POOL_H_
