#ifndef MIXFEED_AUGMENT_RENDER_PIXEL_FORMAT_H_
#define MIXFEED_AUGMENT_RENDER_PIXEL_FORMAT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

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

// A published set by its name: "raw" (0..255), "unit" (0..1), "signed" (-1..1: mean and std .5, as
// MixMatch), or that of a dataset ("mnist"), with or by the name of whose it is where several are
// in use ("cifar10-mixup", "airbench"); a table in pixel_format.cc has each with its numbers and
// its source. NotFound lists the names; InvalidArgument for a set on images of other `channels`
// than it is for.
absl::StatusOr<Normalisation> FindNormalisation(const std::string& name, int channels = 3);

// The names that FindNormalisation knows, for help and errors, in the table's order.
std::vector<std::string> NormalisationNames();

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
