#include "augment/plan/pairing.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>
#include <utility>

#include "augment/plan/distributions.h"

namespace mixfeed {
namespace {

// Fisher and Yates, from the last place down.
void Shuffle(std::vector<int32_t>* values, PhiloxStream* stream) {
  for (size_t place = values->size(); place > 1; --place) {
    std::swap((*values)[place - 1], (*values)[UniformInt(static_cast<uint32_t>(place), stream)]);
  }
}

std::vector<int32_t> Counted(size_t rows) {
  std::vector<int32_t> places(rows);
  std::iota(places.begin(), places.end(), 0);
  return places;
}

std::vector<int32_t> Joined(const std::vector<int32_t>& x,
                            const std::vector<std::vector<int32_t>>& y) {
  std::vector<int32_t> all = x;
  for (const std::vector<int32_t>& group : y) all.insert(all.end(), group.begin(), group.end());
  return all;
}

using ClassRows = std::map<int16_t, std::vector<int32_t>>;

ClassRows RowsByClass(std::span<const int16_t> labels) {
  ClassRows rows;
  for (size_t i = 0; i < labels.size(); ++i) rows[labels[i]].push_back(static_cast<int32_t>(i));
  return rows;
}

std::vector<int32_t> DrawSame(const ClassRows& classes, size_t rows, PhiloxStream stream) {
  std::vector<int32_t> partner(rows);
  for (const auto& [label, members] : classes) {
    std::vector<int32_t> shuffled = members;
    Shuffle(&shuffled, &stream);
    for (size_t i = 0; i < members.size(); ++i) {
      partner[static_cast<size_t>(members[i])] = shuffled[i];
    }
  }
  return partner;
}

// The `index`-th row of another class than `own`.
int32_t OtherRow(std::span<const int16_t> labels, int16_t own, uint32_t index) {
  for (size_t i = 0;; ++i) {
    if (labels[i] == own) continue;
    if (index-- == 0) return static_cast<int32_t>(i);
  }
}

}  // namespace

std::vector<int32_t> DrawPartners(Pairing pairing, int rows, PhiloxStream stream) {
  std::vector<int32_t> partner = Counted(static_cast<size_t>(rows));
  switch (pairing) {
    case Pairing::kPermutation:
      Shuffle(&partner, &stream);
      break;
    case Pairing::kReversed:
      std::reverse(partner.begin(), partner.end());
      break;
    case Pairing::kRolled:
      std::rotate(partner.begin(), partner.end() - 1, partner.end());
      break;
    case Pairing::kHalves:
      std::swap_ranges(partner.begin(), partner.begin() + rows / 2, partner.begin() + rows / 2);
      break;
  }
  return partner;
}

std::vector<PairGroup> PairGroupsOf(MixMode mode, const std::vector<int32_t>& x,
                                    const std::vector<std::vector<int32_t>>& y) {
  const std::vector<int32_t> all = Joined(x, y);
  const std::vector<int32_t> unlabelled = Joined({}, y);
  const PairGroup x_with_x{x, x}, x_with_all{x, all};
  const PairGroup y_with_y{unlabelled, unlabelled}, y_with_all{unlabelled, all, x.size()};
  switch (mode) {
    case MixMode::kXxyYxy:
      return {{all, all}};
    case MixMode::kXxYy:
      return {x_with_x, y_with_y};
    case MixMode::kXxYxy:
      return {x_with_x, y_with_all};
    case MixMode::kXxYx: {
      std::vector<PairGroup> groups = {x_with_x};
      for (const std::vector<int32_t>& group : y) groups.push_back({group, x});
      return groups;
    }
    case MixMode::kXx:
      return {x_with_x};
    case MixMode::kYy:
      return {y_with_y};
    case MixMode::kXxy:
      return {x_with_all};
    case MixMode::kYxy:
      return {y_with_all};
    case MixMode::kNone:
      break;
  }
  return {};
}

std::vector<int32_t> DrawPartnersOfClass(PartnerClass classes, std::span<const int16_t> labels,
                                         const PairedRows& place) {
  const auto step = static_cast<uint64_t>(place.step);
  const ClassRows by_class = RowsByClass(labels);
  if (classes == PartnerClass::kSame) {
    return DrawSame(by_class, labels.size(),
                    PhiloxStream(place.seed, Purpose::kPairing, step, place.row));
  }
  std::vector<int32_t> partner = Counted(labels.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    const size_t others = labels.size() - by_class.at(labels[i]).size();
    if (others == 0) continue;
    PhiloxStream stream(place.seed, Purpose::kPartner, step, place.row + static_cast<uint32_t>(i));
    partner[i] = OtherRow(labels, labels[i], UniformInt(static_cast<uint32_t>(others), &stream));
  }
  return partner;
}

}  // namespace mixfeed
