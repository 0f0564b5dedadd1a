#ifndef MIXFEED_AUGMENT_RENDER_RESAMPLE_H_
#define MIXFEED_AUGMENT_RENDER_RESAMPLE_H_

#include <cstdint>

#include "augment/render/host_device.h"

// Resampling by a projective map: the scalar definition of its every step, in float32. The
// coordinates are then exact to 4 (T + |u| D) / d roundings of 2^-24, where u = n / d is the
// coordinate and T and D are the sums of the magnitudes of the terms of n and d.
namespace mixfeed {

// Limits that keep float32 coordinates meaningful; a map beyond them is refused.
inline constexpr double kMaxMapNumber = 1e6;        // of each number's magnitude
inline constexpr double kMinMapDenominator = 1e-3;  // at every pixel of the view
inline constexpr double kMaxMapCoordinate = 65536;  // magnitude of what any pixel shows

// ViewEffects::map.
struct ProjectiveMap {
  float m[8];
};

// The part of the map that all pixels of a line share.
struct MapLine {
  float x = 0;
  float y = 0;
  float denominator = 1;
};

MIXFEED_HD inline MapLine MapLineAt(const ProjectiveMap& map, int y) {
  const auto row = static_cast<float>(y);
  return {map.m[1] * row + map.m[2], map.m[4] * row + map.m[5], map.m[7] * row + 1.0f};
}

struct Point {
  float x = 0;
  float y = 0;
};

// What pixel x of the line shows, before reflection.
MIXFEED_HD inline Point MapPoint(const ProjectiveMap& map, const MapLine& line, int x) {
  const auto column = static_cast<float>(x);
  const float inverse = 1.0f / (map.m[6] * column + line.denominator);
  return {(map.m[0] * column + line.x) * inverse, (map.m[3] * column + line.y) * inverse};
}

// Reflection in an axis of n pixels, about the centres of the first and the last.
struct ReflectedAxis {
  float last = 0;            // n - 1
  float period = 0;          // 2 (n - 1)
  float inverse_period = 0;  // rounded; 0 for one pixel, whose coordinate must be 0
  float last_first = 0;      // the last pixel that has a next one, else 0
  int32_t to_next = 0;       // 1, or 0 for one pixel
};

inline ReflectedAxis MakeReflectedAxis(int size) {
  if (size == 1) return {};
  const auto last = static_cast<float>(size - 1);
  return {last, 2 * last, 1 / (2 * last), static_cast<float>(size - 2), 1};
}

MIXFEED_HD inline float Magnitude(float value) { return value < 0 ? -value : value; }

// `place` folded into 0..last, exactly. The count of periods may be one off at a border, since the
// inverse is rounded: what is left is then as little outside 0..period, and folded by the
// magnitude.
MIXFEED_HD inline float Reflect(float place, const ReflectedAxis& axis) {
  const float distance = Magnitude(place);
  const auto periods = static_cast<int32_t>(distance * axis.inverse_period);
  const float left = distance - static_cast<float>(periods) * axis.period;
  return Magnitude(left > axis.last ? axis.period - left : left);
}

// The four levels around a point.
struct Neighbourhood {
  float top_left = 0;
  float top_right = 0;
  float bottom_left = 0;
  float bottom_right = 0;
};

MIXFEED_HD inline float Between(float first, float second, float part) {
  return first + part * (second - first);
}

// Along both lines, then between them.
MIXFEED_HD inline float Bilinear(const Neighbourhood& at, float right, float down) {
  const float top = Between(at.top_left, at.top_right, right);
  const float bottom = Between(at.bottom_left, at.bottom_right, right);
  return Between(top, bottom, down);
}

// The pixel that a reflected coordinate follows: the last but one for the last, from which it is
// then a whole pixel away, so that there is a next one to read.
MIXFEED_HD inline int32_t FirstOfPair(float place, const ReflectedAxis& axis) {
  return static_cast<int32_t>(place < axis.last_first ? place : axis.last_first);
}

// The level that a plane of bytes, `stride` apart from line to line, has at a reflected point.
MIXFEED_HD inline float LevelAt(const uint8_t* plane, int32_t stride, const Point& at,
                                const ReflectedAxis& x_axis, const ReflectedAxis& y_axis) {
  const int32_t x = FirstOfPair(at.x, x_axis);
  const int32_t y = FirstOfPair(at.y, y_axis);
  const uint8_t* const top = plane + int64_t{y} * stride + x;
  const uint8_t* const bottom = top + int64_t{y_axis.to_next} * stride;
  return Bilinear({static_cast<float>(top[0]), static_cast<float>(top[x_axis.to_next]),
                   static_cast<float>(bottom[0]), static_cast<float>(bottom[x_axis.to_next])},
                  at.x - static_cast<float>(x), at.y - static_cast<float>(y));
}

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_RESAMPLE_H_
