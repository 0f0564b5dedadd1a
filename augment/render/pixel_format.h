#ifndef MIXFEED_AUGMENT_RENDER_PIXEL_FORMAT_H_
#define MIXFEED_AUGMENT_RENDER_PIXEL_FORMAT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/pool/dataset.h"

namespace mixfeed {

enum class PixelType : uint8_t { kUint8, kFloat16, kBfloat16, kFloat32 };
enum class PixelLayout : uint8_t { kNchw, kNhwc };

inline constexpr int kMaxChannels = 4;

// value = (pixel / 255 - mean[c]) / std[c], for a pixel of 0..255. The default keeps the raw
// 0..255. Beyond an image's channels the entries are not used.
struct Normalisation {
  std::array<double, kMaxChannels> mean = {0, 0, 0, 0};
  std::array<double, kMaxChannels> std = {1.0 / 255, 1.0 / 255, 1.0 / 255, 1.0 / 255};

  friend bool operator==(const Normalisation&, const Normalisation&) = default;
};

// Named sets: "raw" (0..255), "unit" (0..1), "signed" (-1..1, as MixMatch), "cifar10"
// (mean .4914 .4822 .4465, std .2471 .2435 .2616), "cifar10-mixup" (the same mean, std .2023 .1994
// .2010), "cifar100" (129.3 124.1 112.4 and 68.2 65.4 70.4 over 255), "imagenet". NotFound lists
// the names; InvalidArgument for a set of three colours on images of other `channels`.
absl::StatusOr<Normalisation> FindNormalisation(const std::string& name, int channels = 3);

// What a consumer wants its pixels to be.
struct PixelFormat {
  PixelType type = PixelType::kFloat32;
  PixelLayout layout = PixelLayout::kNchw;
  Normalisation normalisation;  // kUint8 takes the raw one only

  friend bool operator==(const PixelFormat&, const PixelFormat&) = default;
};

// InvalidArgument: uint8 with a normalisation other than the raw one, a std outside 1e-6..1e6, a
// mean outside -1e6..1e6, a channel count outside 1..kMaxChannels, a type or layout that is none.
absl::Status ValidatePixelFormat(const PixelFormat& format, int channels);

size_t PixelTypeBytes(PixelType type);

// Bytes of one image in `format`.
size_t ImageBytes(const ImageShape& shape, PixelType type);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_PIXEL_FORMAT_H_
