#ifndef MIXFEED_AUGMENT_POOL_SHAPES_H_
#define MIXFEED_AUGMENT_POOL_SHAPES_H_

#include <opencv2/core.hpp>
#include <span>
#include <vector>

namespace mixfeed {

// Closed polygons, filled by the even-odd rule; about the origin, within distance 1 of it.
using Outline = std::vector<std::vector<cv::Point2d>>;

// A class of the generated dataset: label = position in GeneratedShapes().
struct ShapeClass {
  const char* name;
  Outline outline;
};

std::span<const ShapeClass> GeneratedShapes();

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_SHAPES_H_
