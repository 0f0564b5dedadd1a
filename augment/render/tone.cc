#include "augment/render/tone.h"

#include <algorithm>
#include <array>

#include "augment/base/det_math.h"

namespace mixfeed {
namespace {

constexpr double kHighestLevel = kToneLevels - 1;

std::array<double, kToneLevels> MakeLogits() {
  std::array<double, kToneLevels> logits;
  for (int level = 0; level < kToneLevels; ++level) {
    const double p = std::clamp(level / kHighestLevel, kMinToneInput, 1 - kMinToneInput);
    logits[static_cast<size_t>(level)] = DetLog(p / (1 - p));
  }
  return logits;
}

// The exponential is of a number below 0 on both sides, which no argument overflows.
double Sigmoid(double x) {
  const double decay = DetExp(x < 0 ? x : -x);
  return (x < 0 ? decay : 1.0) / (1.0 + decay);
}

}  // namespace

ToneTable MakeToneTable(const Tone& tone) {
  static const std::array<double, kToneLevels> kLogits = MakeLogits();
  ToneTable table;
  for (size_t i = 0; i < kToneLevels; ++i) {
    const double toned = Sigmoid(tone.contrast * (kLogits[i] + tone.brightness));
    table.steps[i].level = static_cast<float>(kHighestLevel * toned);
  }
  for (size_t i = 0; i + 1 < kToneLevels; ++i) {
    table.steps[i].rise = table.steps[i + 1].level - table.steps[i].level;
  }
  return table;
}

std::vector<ToneTable> MakeToneTables(std::span<const Tone> tones) {
  std::vector<ToneTable> tables(tones.size());
  std::transform(tones.begin(), tones.end(), tables.begin(), MakeToneTable);
  return tables;
}

}  // namespace mixfeed
