#include "augment/plan/partner_pool.h"

#include <algorithm>
#include <utility>

#include "augment/plan/distributions.h"

namespace mixfeed {

PartnerPool::PartnerPool(const PartnerSpec& spec, std::span<const int32_t> samples,
                         std::span<const int16_t> labels,
                         std::shared_ptr<const NeighbourIndex> neighbours)
    : spec_(spec), samples_(samples), labels_(labels), neighbours_(std::move(neighbours)) {
  if (spec_.classes == PartnerClass::kAny || neighbours_ != nullptr) return;
  by_class_.reserve(samples_.size());
  for (size_t place = 0; place < samples_.size(); ++place) {
    by_class_.push_back(At(static_cast<int32_t>(place)));
  }
  std::stable_sort(by_class_.begin(), by_class_.end(), [this](const Member& a, const Member& b) {
    return LabelOf(a.sample) < LabelOf(b.sample);
  });
  for (size_t i = 0; i < by_class_.size(); ++i) {
    const auto label = static_cast<size_t>(LabelOf(by_class_[i].sample));
    if (first_.size() < label + 2) first_.resize(label + 2, static_cast<uint32_t>(i));
    first_[label + 1] = static_cast<uint32_t>(i + 1);
  }
}

DrawnSample PartnerPool::Draw(const DrawnSample& row, PhiloxStream* stream) const {
  const Member drawn = DrawMember(row, stream);
  return {.sample = drawn.sample, .place = drawn.place, .epoch = row.epoch};
}

PartnerPool::Member PartnerPool::DrawMember(const DrawnSample& row, PhiloxStream* stream) const {
  if (neighbours_ != nullptr) {
    const std::span<const int32_t> near = neighbours_->Of(row.place);
    return At(near[UniformInt(static_cast<uint32_t>(near.size()), stream)]);
  }
  const auto all = static_cast<uint32_t>(samples_.size());
  if (spec_.classes == PartnerClass::kAny) {
    return At(static_cast<int32_t>(UniformInt(all, stream)));
  }
  const Member own = {row.place, row.sample};
  const auto label = static_cast<size_t>(LabelOf(row.sample));
  const uint32_t begin = first_[label];
  const uint32_t members = first_[label + 1] - begin;
  if (spec_.classes == PartnerClass::kSame) {
    if (members == 1) return own;
    // The class without the row itself: its place goes to the last member.
    const Member drawn = by_class_[begin + UniformInt(members - 1, stream)];
    return drawn.place == own.place ? by_class_[begin + members - 1] : drawn;
  }
  if (members == all) return own;
  const uint32_t index = UniformInt(all - members, stream);
  return by_class_[index < begin ? index : index + members];
}

}  // namespace mixfeed
