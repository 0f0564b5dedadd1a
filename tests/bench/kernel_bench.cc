// The CPU renderer's speed on one core: 64 mixup rows of random images (half mirrored, random
// crops) out of a pool of 50,000 padded 32x32 images, into a ring of reused buffers.
//   images/s      finished images a second
//   vs_memcpy     against memcpy of as many output bytes into the same ring, measured beforehand
//   vs_goal       against the project's goal for the type, where there is one

#include <benchmark/benchmark.h>

#include <cstring>
#include <ctime>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "augment/render/cpu_renderer.h"
#include "augment/render/pixel_format.h"

namespace mixfeed {
namespace {

constexpr int64_t kPoolImages = 50000;
constexpr int kPad = 4;
constexpr int kRowsPerBatch = 64;
constexpr int kBatches = 64;  // different ones, repeated
constexpr int kRingBuffers = 8;
constexpr double kMemcpySeconds = 0.2;

struct TypeUnderTest {
  const char* name;
  PixelType type;
  double goal;  // images a second on one core; 0: none
};

constexpr TypeUnderTest kTypes[] = {
    {"uint8", PixelType::kUint8, 700000},
    {"float16", PixelType::kFloat16, 0},
    {"bfloat16", PixelType::kBfloat16, 0},
    {"float32", PixelType::kFloat32, 650000},
};

struct LayoutUnderTest {
  const char* name;
  PixelLayout layout;
};

constexpr LayoutUnderTest kLayouts[] = {{"nchw", PixelLayout::kNchw}, {"nhwc", PixelLayout::kNhwc}};

RenderView RandomView(std::mt19937& random) {
  std::uniform_int_distribution<int> image(0, kPoolImages - 1);
  std::uniform_int_distribution<int16_t> offset(0, 2 * kPad);
  return {image(random), offset(random), offset(random), static_cast<uint8_t>(random() & 1)};
}

std::vector<RenderRow> RandomBatch(std::mt19937& random) {
  std::uniform_real_distribution<float> lambda(0.0f, 1.0f);
  std::vector<RenderRow> rows(kRowsPerBatch);
  for (RenderRow& row : rows) row = {RandomView(random), RandomView(random), lambda(random)};
  return rows;
}

// What all benchmarks share; built once.
class Setup {
 public:
  static Setup& Get() {
    static Setup setup;
    return setup;
  }

  Renderer& renderer() { return *renderer_; }
  const ResidentPool& pool() { return *pool_; }
  const std::vector<RenderRow>& batch(size_t i) { return batches_[i % kBatches]; }
  std::span<std::byte> buffer(size_t i, size_t bytes) {
    return {ring_[i % kRingBuffers]->data(), bytes};
  }

 private:
  Setup() : threads_(1), renderer_(MakeCpuRenderer(&threads_)) {
    std::mt19937 random(1);
    const ImageShape shape;
    std::vector<uint8_t> images(static_cast<size_t>(kPoolImages * shape.pixels()));
    for (uint8_t& pixel : images) pixel = static_cast<uint8_t>(random());
    pool_ = *renderer_->Load(*MakePool(shape, images, kPad, PadMode::kReflect, &threads_));
    for (int i = 0; i < kBatches; ++i) batches_.push_back(RandomBatch(random));
    for (int i = 0; i < kRingBuffers; ++i) {
      ring_.push_back(*renderer_->Allocate(kRowsPerBatch * ImageBytes(shape, PixelType::kFloat32)));
    }
  }

  ThreadPool threads_;
  std::unique_ptr<Renderer> renderer_;
  std::shared_ptr<const ResidentPool> pool_;
  std::vector<std::vector<RenderRow>> batches_;
  std::vector<std::unique_ptr<HostBuffer>> ring_;
};

// Processor time, which other work on the machine does not count into.
double Seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// Images a second that memcpy fills the ring with.
double MemcpyRate(Setup& setup, size_t batch_bytes) {
  const std::vector<std::byte> source(batch_bytes, std::byte{1});
  const double start = Seconds();
  size_t batches = 0;
  while (Seconds() - start < kMemcpySeconds) {
    std::memcpy(setup.buffer(batches, batch_bytes).data(), source.data(), batch_bytes);
    benchmark::ClobberMemory();
    ++batches;
  }
  return static_cast<double>(batches * kRowsPerBatch) / (Seconds() - start);
}

void RenderBatches(benchmark::State& state, TypeUnderTest type, PixelLayout layout) {
  Setup& setup = Setup::Get();
  PixelFormat format;
  format.type = type.type;
  format.layout = layout;
  if (type.type != PixelType::kUint8) format.normalisation = *FindNormalisation("cifar10");
  const size_t bytes = kRowsPerBatch * ImageBytes(setup.pool().shape(), type.type);
  const double memcpy_rate = MemcpyRate(setup, bytes);
  const double start = Seconds();
  size_t batch = 0;
  for ([[maybe_unused]] auto _ : state) {
    const absl::Status status = setup.renderer().Render(setup.pool(), setup.batch(batch), format,
                                                        setup.buffer(batch, bytes));
    if (!status.ok()) {
      state.SkipWithError(status.ToString().c_str());
      break;
    }
    ++batch;
  }
  const double rate = static_cast<double>(batch * kRowsPerBatch) / (Seconds() - start);
  state.counters["images/s"] = rate;
  state.counters["vs_memcpy"] = rate / memcpy_rate;
  if (type.goal > 0) state.counters["vs_goal"] = rate / type.goal;
}

void RegisterAll() {
  for (const LayoutUnderTest& layout : kLayouts) {
    for (const TypeUnderTest& type : kTypes) {
      const std::string name = std::string("Render/") + type.name + "/" + layout.name;
      benchmark::RegisterBenchmark(name.c_str(), RenderBatches, type, layout.layout);
    }
  }
}

}  // namespace
}  // namespace mixfeed

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  mixfeed::RegisterAll();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
