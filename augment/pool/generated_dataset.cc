#include "augment/pool/generated_dataset.h"

#include <algorithm>
#include <span>

#include "augment/base/mutex.h"
#include "augment/base/status_macros.h"
#include "augment/pool/image_random.h"
#include "augment/pool/numpy_random.h"
#include "augment/pool/painter.h"
#include "augment/pool/shapes.h"

namespace mixfeed {
namespace {

constexpr ImageShape kShape{.channels = 3, .height = kPaintedSide, .width = kPaintedSide};
constexpr int64_t kImagesPerReport = 2000;
constexpr int64_t kImagesPerChunk = 50;

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

// Draws one partition; `report` is given the number of images drawn so far.
absl::StatusOr<ImageSet> DrawPartition(uint64_t seed, uint64_t stream, int64_t count,
                                       ThreadPool* threads,
                                       const std::function<void(int64_t)>& report) {
  ImageSet images;
  images.labels = ShuffledLabels(ImageRandom(seed, stream), count);
  images.pixels.resize(static_cast<size_t>(count * kShape.pixels()));
  const auto draw = [&](int64_t i) {
    const ImageRandom random(seed, stream + 1 + static_cast<uint64_t>(i));
    return PaintImage(images.labels[static_cast<size_t>(i)], random,
                      images.pixels.data() + i * kShape.pixels());
  };
  Mutex mu;
  absl::Status result;
  for (int64_t start = 0; start < count && result.ok(); start += kImagesPerReport) {
    const int64_t part = std::min(kImagesPerReport, count - start);
    threads->ParallelFor(part, kImagesPerChunk, [&](int64_t begin, int64_t end) {
      absl::Status status;
      for (int64_t i = begin; i < end; ++i) status.Update(draw(start + i));
      MutexLock lock(&mu);
      result.Update(status);
    });
    report(start + part);
  }
  MIXFEED_RETURN_IF_ERROR(result);
  return images;
}

}  // namespace

absl::StatusOr<Dataset> GenerateDataset(const GeneratorSpec& spec, ThreadPool* threads,
                                        const std::function<void(double)>& progress) {
  int64_t before = 0;  // images of finished partitions
  const auto report = [&](int64_t drawn) {
    const auto all = static_cast<double>(spec.train_images + spec.test_images);
    if (progress) progress(static_cast<double>(before + drawn) / all);
  };
  Dataset dataset;
  dataset.shape = kShape;
  for (const ShapeClass& shape : GeneratedShapes()) dataset.class_names.emplace_back(shape.name);
  MIXFEED_ASSIGN_OR_RETURN(
      dataset.train, DrawPartition(spec.seed, kTrainStream, spec.train_images, threads, report));
  before = spec.train_images;
  MIXFEED_ASSIGN_OR_RETURN(
      dataset.test, DrawPartition(spec.seed, kTestStream, spec.test_images, threads, report));
  return dataset;
}

}  // namespace mixfeed
