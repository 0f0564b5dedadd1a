#include "tests/bench/render_kit.h"

#include <cmath>
#include <ctime>
#include <numbers>

#include "augment/render/cpu_renderer.h"

namespace mixfeed::testing {
namespace {

constexpr size_t kRingBuffers = 8;
constexpr int16_t kSide = 32;

}  // namespace

RenderKit& RenderKit::Get() {
  static RenderKit kit;
  return kit;
}

RenderKit::RenderKit() : threads_(1), renderer_(MakeCpuRenderer(&threads_)) {
  std::mt19937 random(1);
  const ImageShape shape;
  images_.resize(static_cast<size_t>(kPoolImages * shape.pixels()));
  for (uint8_t& pixel : images_) pixel = static_cast<uint8_t>(random());
  pool_ = *renderer_->Load(*MakePool(shape, images_, kPoolPad, PadMode::kReflect, &threads_));
  unpadded_pool_ = *renderer_->Load(*MakePool(shape, images_, 0, PadMode::kReflect, &threads_));
  for (size_t i = 0; i < kRingBuffers; ++i) {
    ring_.push_back(*renderer_->Allocate(kRowsPerBatch * ImageBytes(shape, PixelType::kFloat32)));
  }
}

std::span<std::byte> RenderKit::Buffer(size_t i, size_t bytes) {
  return {ring_[i % kRingBuffers]->data(), bytes};
}

Batches::Batches(RowsUnderTest kind) {
  for (size_t batch = 0; batch < kBatches; ++batch) {
    std::vector<RenderRow>& rows = batches_.emplace_back();
    for (size_t row = 0; row < kRowsPerBatch; ++row) rows.push_back(RandomRow(kind));
  }
}

RenderView Batches::RandomView() {
  std::uniform_int_distribution<int> image(0, kPoolImages - 1);
  std::uniform_int_distribution<int16_t> offset(0, 2 * kPoolPad);
  return {image(random_), offset(random_), offset(random_), static_cast<uint8_t>(random_() & 1)};
}

Box Batches::RandomBox(int16_t side) {
  std::uniform_int_distribution<int> place(0, kSide - side);
  const auto y = static_cast<int16_t>(place(random_));
  const auto x = static_cast<int16_t>(place(random_));
  return {y, x, static_cast<int16_t>(y + side), static_cast<int16_t>(x + side)};
}

RenderView Batches::FastaiView() {
  const auto between = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random_);
  };
  const double angle = between(-10, 10) * std::numbers::pi / 180;
  const double scale = 1 / between(1, 1.1);
  const double mirror = (random_() & 1) != 0 ? -1 : 1;
  const double cosine = scale * std::cos(angle);
  const double sine = scale * std::sin(angle);
  constexpr double kCentre = (kSide - 1) / 2.0;
  ViewEffects& effects = effects_.emplace_back();
  effects.resampled = true;
  const double map[] = {mirror * cosine,
                        -sine,
                        kCentre - (mirror * cosine - sine) * kCentre,
                        mirror * sine,
                        cosine,
                        kCentre - (mirror * sine + cosine) * kCentre,
                        between(-0.2, 0.2) / kSide,
                        between(-0.2, 0.2) / kSide};
  for (size_t i = 0; i < effects.map.size(); ++i) effects.map[i] = static_cast<float>(map[i]);
  effects.toned = true;
  const double change = between(0.4, 0.6);
  effects.brightness = std::log(change / (1 - change));
  effects.contrast = std::exp(between(std::log(0.8), std::log(1.25)));
  return {RandomView().image, 0, 0, 0, &effects};
}

RenderRow Batches::RandomRow(RowsUnderTest kind) {
  std::uniform_real_distribution<float> share(0.0f, 1.0f);
  constexpr int16_t kHole = 8;
  constexpr int16_t kBoxSide = 18;  // CutMix's mean area is 0.3 of the image
  RenderRow row = {RandomView(), RandomView()};
  switch (kind) {
    case RowsUnderTest::kMixup:
      row.lambda = share(random_);
      break;
    case RowsUnderTest::kSingle:
      break;
    case RowsUnderTest::kCutout:
      row.a.effects = &effects_.emplace_back();
      effects_.back().hole = RandomBox(kHole);
      effects_.back().normalised_zero = true;
      break;
    case RowsUnderTest::kCutMix:
      row.box = RandomBox(kBoxSide);
      break;
    case RowsUnderTest::kThreeWay:
      row.lambda = share(random_) / 2;
      more_.push_back({{RandomView(), share(random_) / 2}});
      row.more = more_.back();
      break;
    case RowsUnderTest::kFastai:
      row.a = FastaiView();
  }
  return row;
}

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace mixfeed::testing
