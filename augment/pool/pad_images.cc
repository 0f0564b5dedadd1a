#include "augment/pool/pad_images.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "augment/base/memory.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

std::vector<uint8_t> Pad(const std::vector<uint8_t>& pixels, const ImageShape& from,
                         const ImageShape& to) {
  const int64_t planes = static_cast<int64_t>(pixels.size()) / (int64_t{from.height} * from.width);
  const int64_t left = (to.width - from.width) / 2;
  const int64_t top = (to.height - from.height) / 2;
  std::vector<uint8_t> padded(static_cast<size_t>(planes * to.height * to.width));
  for (int64_t plane = 0; plane < planes; ++plane) {
    for (int64_t y = 0; y < from.height; ++y) {
      const auto row = pixels.begin() + (plane * from.height + y) * from.width;
      std::copy_n(row, from.width,
                  padded.begin() + (plane * to.height + top + y) * to.width + left);
    }
  }
  return padded;
}

}  // namespace

absl::Status PadImages(int side, Dataset* dataset) {
  const ImageShape from = dataset->shape;
  const int smallest = std::max(from.height, from.width);
  if (side < smallest || side > kMaxImageSide) {
    return absl::InvalidArgumentError(absl::StrCat("pad is ", side, " and images are ", from.height,
                                                   "x", from.width, "; allowed are ", smallest,
                                                   " to ", kMaxImageSide));
  }
  const ImageShape to{.channels = from.channels, .height = side, .width = side};
  const int64_t images = dataset->train.count() + dataset->test.count();
  return CatchOutOfMemory("padded images", images * to.pixels(), [&] {
    std::vector<uint8_t> train = Pad(dataset->train.pixels, from, to);
    dataset->test.pixels = Pad(dataset->test.pixels, from, to);
    dataset->train.pixels = std::move(train);
    dataset->shape = to;
    return absl::OkStatus();
  });
}

}  // namespace mixfeed
