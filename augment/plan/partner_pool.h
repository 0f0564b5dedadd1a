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
  // An image of the list.
  struct Member {
    int32_t place;
    int32_t sample;
  };

  Member DrawMember(const DrawnSample& row, PhiloxStream* stream) const;
  Member At(int32_t place) const { return {place, samples_[static_cast<size_t>(place)]}; }
  int16_t LabelOf(int32_t sample) const { return labels_[static_cast<size_t>(sample)]; }

  const PartnerSpec spec_;
  const std::span<const int32_t> samples_;
  const std::span<const int16_t> labels_;
  const std::shared_ptr<const NeighbourIndex> neighbours_;
  // Ordered by class, then place; class c has first_[c] ... first_[c + 1] - 1. Empty when classes
  // do not matter.
  std::vector<Member> by_class_;
  std::vector<uint32_t> first_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_PARTNER_POOL_H_
