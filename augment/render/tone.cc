#include "augment/render/tone.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "augment/base/det_math.h"

namespace mixfeed {
namespace {

constexpr size_t kHalf = kToneLevels / 2;
constexpr double kHighestLevel = kToneLevels - 1;

// Of the levels of the upper half; those of the lower one are the same below 0.
std::array<double, kHalf> MakeLogits() {
  std::array<double, kHalf> logits;
  for (size_t i = 0; i < kHalf; ++i) {
    const double p = std::min(static_cast<double>(kHalf + i) / kHighestLevel, 1 - kMinToneInput);
    logits[i] = DetLog(p / (1 - p));
  }
  return logits;
}

// What all levels become, for a brightness from 0. With l the logit of a level of the upper half,
// sigmoid(contrast * (l + brightness)) is 1 / (1 + e^(-contrast l) e^(-contrast brightness)), and
// that of -l has the same two exponentials.
std::array<double, kToneLevels> ToneLevels(double contrast, double brightness) {
  static const std::array<double, kHalf> kLogits = MakeLogits();
  const double brighter = DetExp(-contrast * brightness);
  std::array<double, kHalf> decays;
  for (size_t i = 0; i < kHalf; ++i) decays[i] = -contrast * kLogits[i];
  DetExp(decays);
  std::array<double, kToneLevels> levels;
  for (size_t i = 0; i < kHalf; ++i) {
    levels[kHalf + i] = kHighestLevel / (1 + decays[i] * brighter);
  }
  for (size_t i = 0; i < kHalf; ++i) {
    const double decay = decays[kHalf - 1 - i];
    levels[i] = kHighestLevel * (decay / (decay + brighter));
  }
  return levels;
}

}  // namespace

ToneTable MakeToneTable(const Tone& tone) {
  std::array<double, kToneLevels> levels = ToneLevels(tone.contrast, std::abs(tone.brightness));
  if (tone.brightness < 0) {
    // The negative of the picture, and of its levels.
    std::reverse(levels.begin(), levels.end());
    for (double& level : levels) level = kHighestLevel - level;
  }
  std::array<float, kToneLevels + 1> rounded;
  for (size_t i = 0; i < kToneLevels; ++i) rounded[i] = static_cast<float>(levels[i]);
  rounded[kToneLevels] = rounded[kToneLevels - 1];
  ToneTable table;
  for (size_t i = 0; i < kToneLevels; ++i) {
    const uint64_t rise = std::bit_cast<uint32_t>(rounded[i + 1] - rounded[i]);
    table.steps[i] = rise << 32 | std::bit_cast<uint32_t>(rounded[i]);
  }
  return table;
}

std::vector<ToneTable> MakeToneTables(std::span<const Tone> tones) {
  std::vector<ToneTable> tables(tones.size());
  std::transform(tones.begin(), tones.end(), tables.begin(), MakeToneTable);
  return tables;
}

}  // namespace mixfeed
