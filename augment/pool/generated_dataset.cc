#include "augment/pool/generated_dataset.h"

#include <span>

#include "augment/base/status_macros.h"
#include "augment/pool/image_loop.h"
#include "augment/pool/image_random.h"
#include "augment/pool/numpy_random.h"
#include "augment/pool/painter.h"
#include "augment/pool/shapes.h"

namespace mixfeed {
namespace {

constexpr ImageShape kPaintedShape{.channels = 3, .height = kPaintedSide, .width = kPaintedSide};

// Random streams of a partition: its first is for the order of the labels, the others are the
// images'.
constexpr uint64_t kTrainStream = 0;
constexpr uint64_t kTestStream = uint64_t{1} << 32;

std::vector<int16_t> ShuffledLabels(ImageRandom random, int64_t count) {
  const auto classes = static_cast<int64_t>(GeneratedShapes().size());
  std::vector<int16_t> labels;
  for (int64_t i = 0; i < count; ++i) labels.push_back(static_cast<int16_t>(i % classes));
  NumpyRandom(static_cast<uint32_t>(random.Bits())).Shuffle(std::span(labels));
  return labels;
}

absl::StatusOr<ImageSet> DrawPartition(uint64_t seed, uint64_t stream, int64_t count,
                                       ThreadPool* threads, ImageProgress* progress) {
  ImageSet images;
  images.labels = ShuffledLabels(ImageRandom(seed, stream), count);
  images.pixels.resize(static_cast<size_t>(count * kPaintedShape.pixels()));
  MIXFEED_RETURN_IF_ERROR(ForEachImage(count, threads, progress, [&](int64_t i) {
    return PaintImage(images.labels[static_cast<size_t>(i)],
                      ImageRandom(seed, stream + 1 + static_cast<uint64_t>(i)),
                      images.pixels.data() + i * kPaintedShape.pixels());
  }));
  return images;
}

}  // namespace

absl::StatusOr<Dataset> GenerateDataset(const GeneratorSpec& spec, ThreadPool* threads,
                                        const std::function<void(double)>& progress) {
  ImageProgress images(progress, spec.train_images + spec.test_images);
  Dataset dataset;
  dataset.shape = kPaintedShape;
  for (const ShapeClass& shape : GeneratedShapes()) dataset.class_names.emplace_back(shape.name);
  MIXFEED_ASSIGN_OR_RETURN(
      dataset.train, DrawPartition(spec.seed, kTrainStream, spec.train_images, threads, &images));
  MIXFEED_ASSIGN_OR_RETURN(
      dataset.test, DrawPartition(spec.seed, kTestStream, spec.test_images, threads, &images));
  return dataset;
}

}  // namespace mixfeed
