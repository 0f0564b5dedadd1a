#ifndef MIXFEED_AUGMENT_POOL_GREEDY_CLASSES_H_
#define MIXFEED_AUGMENT_POOL_GREEDY_CLASSES_H_

#include <cstdint>
#include <vector>

namespace mixfeed {

// The class that comes next so that what was taken stays proportional to the classes' sizes: argmax
// of size / largest size - taken / max(most taken, 1), the first of equals. Balanced classes come
// round robin. From google-research/mixmatch, scripts/create_split.py; computed in double in its
// order, so that ties and near ties fall alike.
class GreedyClasses {
 public:
  // At least one class, at least one size above 0.
  explicit GreedyClasses(const std::vector<int64_t>& class_sizes);

  int Next() const;
  void Take(int c);

 private:
  std::vector<double> shares_;  // size / largest size
  std::vector<int64_t> taken_;
  int64_t most_taken_ = 1;  // never below 1, as the rule has it
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_GREEDY_CLASSES_H_
