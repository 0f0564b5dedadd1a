#ifndef MIXFEED_AUGMENT_RENDER_TONE_H_
#define MIXFEED_AUGMENT_RENDER_TONE_H_

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "augment/render/host_device.h"

// Brightness and contrast on logits, fastai v1's lighting transforms (fastai/vision/transform.py,
// _brightness and _contrast): a pixel p of 0..1 becomes sigmoid(contrast * (logit(p) +
// brightness)).
namespace mixfeed {

// Within these a tone's exponentials are normal doubles.
inline constexpr double kMaxContrast = 40;     // from 0
inline constexpr double kMaxBrightness = 17;   // in either direction
inline constexpr double kMinToneInput = 1e-7;  // p is clamped to this..1 - this

struct Tone {
  double contrast = 1;
  double brightness = 0;
};

inline constexpr int kToneLevels = 256;

// What the levels 0..255 become: each in the low 32 bits, and how much higher the next one is (of
// the last: 0) in the high ones, both as a float32's bits, so that one gather fetches the two.
// Trivially copyable; shared with device code.
struct ToneTable {
  uint64_t steps[kToneLevels];
};

// Computed in double, the same on every machine. Within the limits above.
ToneTable MakeToneTable(const Tone& tone);
std::vector<ToneTable> MakeToneTables(std::span<const Tone> tones);

// Linear between the table's levels. `level` is 0..255, or above 255 by a rounding error.
MIXFEED_HD inline float ToneLevel(const ToneTable& table, float level) {
  const auto whole = static_cast<int32_t>(level);
  const uint64_t step = table.steps[whole];
  const auto low = std::bit_cast<float>(static_cast<uint32_t>(step));
  const auto rise = std::bit_cast<float>(static_cast<uint32_t>(step >> 32));
  return low + (level - static_cast<float>(whole)) * rise;
}

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_TONE_H_
