#include "augment/plan/pairing.h"

#include <algorithm>
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

}  // namespace

std::vector<int32_t> DrawPartners(Pairing pairing, int rows, PhiloxStream stream) {
  std::vector<int32_t> partner(static_cast<size_t>(rows));
  std::iota(partner.begin(), partner.end(), 0);
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
      std::rotate(partner.begin(), partner.begin() + rows / 2, partner.end());
      break;
  }
  return partner;
}

}  // namespace mixfeed
