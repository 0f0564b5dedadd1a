#include "augment/plan/partner_pool.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "augment/plan/distributions.h"

namespace mixfeed {

PartnerPool::PartnerPool(const PartnerSpec& spec, std::span<const int32_t> samples,
                         std::span<const int16_t> labels,
                         std::shared_ptr<const NeighbourIndex> neighbours)
    : spec_(spec), samples_(samples), labels_(labels), neighbours_(std::move(neighbours)) {
  if (spec_.classes == PartnerClass::kAny || neighbours_ != nullptr) return;
  by_class_.resize(samples_.size());
  std::iota(by_class_.begin(), by_class_.end(), 0);
  std::stable_sort(by_class_.begin(), by_class_.end(),
                   [this](int32_t a, int32_t b) { return LabelOf(a) < LabelOf(b); });
  for (size_t i = 0; i < by_class_.size(); ++i) {
    const auto label = static_cast<size_t>(LabelOf(by_class_[i]));
    if (first_.size() < label + 2) first_.resize(label + 2, static_cast<uint32_t>(i));
    first_[label + 1] = static_cast<uint32_t>(i + 1);
  }
}

int16_t PartnerPool::LabelOf(int32_t place) const {
  return labels_[static_cast<size_t>(samples_[static_cast<size_t>(place)])];
}

DrawnSample PartnerPool::Draw(const DrawnSample& row, PhiloxStream* stream) const {
  if (neighbours_ != nullptr) {
    const std::span<const int32_t> near = neighbours_->Of(row.place);
    const int32_t place = near[UniformInt(static_cast<uint32_t>(near.size()), stream)];
    return {.sample = samples_[static_cast<size_t>(place)], .place = place, .epoch = row.epoch};
  }
  const int32_t place = DrawPlace(row.place, stream);
  return {.sample = samples_[static_cast<size_t>(place)], .place = place, .epoch = row.epoch};
}

int32_t PartnerPool::DrawPlace(int32_t own, PhiloxStream* stream) const {
  const auto all = static_cast<uint32_t>(samples_.size());
  if (spec_.classes == PartnerClass::kAny) return static_cast<int32_t>(UniformInt(all, stream));
  const auto label = static_cast<size_t>(LabelOf(own));
  const uint32_t begin = first_[label];
  const uint32_t members = first_[label + 1] - begin;
  if (spec_.classes == PartnerClass::kSame) {
    if (members == 1) return own;
    // The class without the row itself: its place goes to the last member.
    const int32_t drawn = by_class_[begin + UniformInt(members - 1, stream)];
    return drawn == own ? by_class_[begin + members - 1] : drawn;
  }
  if (members == all) return own;
  const uint32_t index = UniformInt(all - members, stream);
  return by_class_[index < begin ? index : index + members];
}

}  // namespace mixfeed
