#ifndef MIXFEED_CLIENT_LOOK_SHARPEN_H_
#define MIXFEED_CLIENT_LOOK_SHARPEN_H_

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "client/look/look.h"

namespace mixfeed {

inline constexpr size_t kMinSharpenClasses = 2;
inline constexpr size_t kMaxSharpenClasses = 100;
inline constexpr size_t kMaxTemperatures = 16;

// What temperatures do to a guess, with a figure: `mixfeed sharpen`. `guess` has 2..100
// probabilities that sum to 1 within 0.001; 1..16 temperatures of 0.01..100. InvalidArgument names
// "probabilities" or "temperature".
absl::StatusOr<Look> LookAtSharpening(const std::vector<float>& guess,
                                      const std::vector<double>& temperatures);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_LOOK_SHARPEN_H_
