#include "augment/pool/greedy_classes.h"

#include <algorithm>

namespace mixfeed {

GreedyClasses::GreedyClasses(const std::vector<int64_t>& class_sizes) : taken_(class_sizes.size()) {
  const auto largest =
      static_cast<double>(*std::max_element(class_sizes.begin(), class_sizes.end()));
  for (int64_t size : class_sizes) shares_.push_back(static_cast<double>(size) / largest);
}

int GreedyClasses::Next() const {
  int best = 0;
  double best_lack = 0;
  for (size_t c = 0; c < shares_.size(); ++c) {
    const double lack =
        shares_[c] - static_cast<double>(taken_[c]) / static_cast<double>(most_taken_);
    if (c == 0 || lack > best_lack) {
      best = static_cast<int>(c);
      best_lack = lack;
    }
  }
  return best;
}

void GreedyClasses::Take(int c) {
  const int64_t taken = ++taken_[static_cast<size_t>(c)];
  most_taken_ = std::max(most_taken_, taken);
}

}  // namespace mixfeed
