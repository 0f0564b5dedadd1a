// Views as fastai v1 makes them (mirrored, rotated, zoomed, in perspective, toned; bilinear,
// borders reflected), 32x32 colour to normalised float32 NCHW, on one core: 64 of the CPU renderer
// in turn with 64 of OpenCV, one view at a time on one thread, from images as it wants them
// (interleaved).
//   images/s        finished views a second of mixfeed
//   opencv_images/s of OpenCV
//   vs_opencv       the one over the other; the project's goal is 2

#include <benchmark/benchmark.h>

#include <array>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "augment/render/pixel_format.h"
#include "tests/bench/render_kit.h"

namespace mixfeed::testing {
namespace {

constexpr int kSide = 32;
constexpr int kLevels = 256;

// OpenCV with everything that does not depend on the view made beforehand.
class OpenCvViews {
 public:
  OpenCvViews(std::span<const uint8_t> planar, const Normalisation& normalisation)
      : normalisation_(normalisation), interleaved_(planar.size()) {
    cv::setNumThreads(1);
    constexpr size_t kPlane = size_t{kSide} * kSide;
    for (size_t i = 0; i < planar.size(); ++i) {
      const size_t image = i / (3 * kPlane);
      interleaved_[(image * kPlane + i % kPlane) * 3 + i / kPlane % 3] = planar[i];
    }
    for (int level = 0; level < kLevels; ++level) {
      const float p = std::clamp(static_cast<float>(level) / 255, 1e-7f, 1 - 1e-7f);
      logits_[static_cast<size_t>(level)] = std::log(p / (1 - p));
    }
  }

  // Writes the view to `out`, [3][32][32].
  void Make(const RenderView& view, float* out) {
    const ViewEffects& effects = *view.effects;
    const size_t image = static_cast<size_t>(view.image) * 3 * kSide * kSide;
    const cv::Mat source(kSide, kSide, CV_8UC3, interleaved_.data() + image);
    cv::warpPerspective(source, warped_, MapOf(effects.map), {kSide, kSide},
                        cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_REFLECT_101);
    cv::LUT(warped_, ToneTableOf(effects), toned_);
    cv::split(toned_, planes_);
    for (int c = 0; c < 3; ++c) {
      const double std = normalisation_.std[static_cast<size_t>(c)];
      const double mean = normalisation_.mean[static_cast<size_t>(c)];
      cv::Mat plane(kSide, kSide, CV_32F, out + c * kSide * kSide);
      planes_[static_cast<size_t>(c)].convertTo(plane, CV_32F, 1 / (255 * std), -mean / std);
    }
  }

 private:
  static cv::Matx33d MapOf(const std::array<float, 8>& m) {
    return {m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], 1};
  }

  const cv::Mat& ToneTableOf(const ViewEffects& effects) {
    const auto contrast = static_cast<float>(effects.contrast);
    const auto brightness = static_cast<float>(effects.brightness);
    for (int level = 0; level < kLevels; ++level) {
      const float logit = contrast * (logits_[static_cast<size_t>(level)] + brightness);
      table_.at<uint8_t>(level) = cv::saturate_cast<uint8_t>(255 / (1 + std::exp(-logit)));
    }
    return table_;
  }

  const Normalisation normalisation_;
  std::vector<uint8_t> interleaved_;
  std::array<float, kLevels> logits_;
  cv::Mat table_ = cv::Mat(1, kLevels, CV_8U);
  cv::Mat warped_;
  cv::Mat toned_;
  std::vector<cv::Mat> planes_;
};

void MakeViews(benchmark::State& state) {
  RenderKit& kit = RenderKit::Get();
  const Batches batches(RowsUnderTest::kFastai);
  PixelFormat format;
  format.normalisation = *FindNormalisation("cifar10");
  OpenCvViews opencv(kit.images(), format.normalisation);
  const size_t image_bytes = ImageBytes(kit.unpadded_pool().shape(), format.type);
  double own_seconds = 0;
  double opencv_seconds = 0;
  size_t batch = 0;
  for ([[maybe_unused]] auto _ : state) {
    const std::span<const RenderRow> rows = batches[batch];
    const std::span<std::byte> out = kit.Buffer(2 * batch, kRowsPerBatch * image_bytes);
    const std::span<std::byte> opencv_out = kit.Buffer(2 * batch + 1, kRowsPerBatch * image_bytes);
    ++batch;
    const double start = ThreadSeconds();
    const absl::Status status = kit.renderer().Render(kit.unpadded_pool(), rows, format, out);
    const double middle = ThreadSeconds();
    for (size_t i = 0; i < rows.size(); ++i) {
      opencv.Make(rows[i].a, reinterpret_cast<float*>(opencv_out.data() + i * image_bytes));
    }
    opencv_seconds += ThreadSeconds() - middle;
    own_seconds += middle - start;
    if (!status.ok()) state.SkipWithError(status.ToString().c_str());
  }
  const auto images = static_cast<double>(batch * kRowsPerBatch);
  state.counters["images/s"] = images / own_seconds;
  state.counters["opencv_images/s"] = images / opencv_seconds;
  state.counters["vs_opencv"] = opencv_seconds / own_seconds;
}

BENCHMARK(MakeViews);

}  // namespace
}  // namespace mixfeed::testing

BENCHMARK_MAIN();
