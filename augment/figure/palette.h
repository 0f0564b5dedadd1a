#ifndef MIXFEED_AUGMENT_FIGURE_PALETTE_H_
#define MIXFEED_AUGMENT_FIGURE_PALETTE_H_

#include <array>
#include <cmath>
#include <cstdint>

namespace mixfeed {

// sRGB levels.
struct Rgb {
  uint8_t red = 0;
  uint8_t green = 0;
  uint8_t blue = 0;

  friend bool operator==(const Rgb&, const Rgb&) = default;
};

// The colours of every picture that mixfeed draws: warm paper, near-black text, few accents.
inline constexpr Rgb kPaper{247, 249, 250};  // around cards
inline constexpr Rgb kCard{255, 255, 255};   // under data
inline constexpr Rgb kFrame{214, 218, 222};  // borders
inline constexpr Rgb kGrid{236, 239, 241};   // lines behind data
inline constexpr Rgb kInk{36, 40, 48};       // text
inline constexpr Rgb kFaint{124, 130, 140};  // text that may be passed over
inline constexpr Rgb kBar{74, 148, 196};     // amounts

// Classes and series, in the order in which they are used; the first two are told apart by people
// with any kind of colour vision.
inline constexpr std::array<Rgb, 6> kSeries = {
    {{31, 105, 180}, {224, 112, 34}, {58, 146, 88}, {136, 86, 167}, {196, 60, 75}, {140, 110, 60}}};

// (1 - share) * a + share * b, level by level, rounded to nearest; share in 0..1.
inline Rgb Blend(const Rgb& a, const Rgb& b, double share) {
  const auto level = [share](uint8_t from, uint8_t to) {
    return static_cast<uint8_t>(std::lround(from + share * (to - from)));
  };
  return {level(a.red, b.red), level(a.green, b.green), level(a.blue, b.blue)};
}

// What something is drawn with.
struct Ink {
  Rgb colour = kInk;
  double alpha = 1;  // 0: nothing, 1: covers what is below

  friend bool operator==(const Ink&, const Ink&) = default;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_FIGURE_PALETTE_H_
