#include "augment/figure/ticks.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"

namespace mixfeed {
namespace {

// A step is factor * 10^exponent.
struct Step {
  int factor = 1;
  int exponent = 0;

  double value() const { return factor * std::pow(10.0, exponent); }
  Step Next() const {
    if (factor == 5) return {1, exponent + 1};
    return {factor == 1 ? 2 : 5, exponent};
  }
};

// An end that is a multiple but for rounding counts as one.
constexpr double kSlack = 1e-9;

int64_t FirstMultiple(double low, double step) {
  return static_cast<int64_t>(std::ceil(low / step - kSlack));
}
int64_t LastMultiple(double high, double step) {
  return static_cast<int64_t>(std::floor(high / step + kSlack));
}

std::vector<Tick> Multiples(double low, double high, double step, int decimals) {
  std::vector<Tick> ticks;
  const int64_t last = LastMultiple(high, step);
  for (int64_t i = FirstMultiple(low, step); i <= last; ++i) {
    const double value = static_cast<double>(i) * step;
    ticks.push_back({value, absl::StrFormat("%.*f", decimals, value)});
  }
  return ticks;
}

}  // namespace

std::vector<Tick> NiceTicks(double low, double high, int most) {
  Step step{1, static_cast<int>(std::floor(std::log10((high - low) / most)))};
  while (LastMultiple(high, step.value()) - FirstMultiple(low, step.value()) + 1 > most) {
    step = step.Next();
  }
  return Multiples(low, high, step.value(), std::max(0, -step.exponent));
}

std::vector<Tick> EvenTicks(double low, double high, double step) {
  const auto exponent = static_cast<int>(std::floor(std::log10(step) + kSlack));
  return Multiples(low, high, step, std::max(0, -exponent));
}

}  // namespace mixfeed
