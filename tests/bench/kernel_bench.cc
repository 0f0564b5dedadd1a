// The CPU renderer's speed on one core: 64 rows of random images (half mirrored, random crops) out
// of a pool of 50,000 padded 32x32 images, into a ring of reused buffers.
//
// Render/TYPE/LAYOUT, mixup rows:
//   images/s      finished images a second
//   vs_memcpy     against memcpy of as many output bytes into the same ring, measured beforehand
//   vs_goal       against the project's goal for the type, where there is one
// Rows/KIND/TYPE/LAYOUT, a batch of each kind in turn with one of mixup rows:
//   images/s      finished images a second
//   vs_mixup      against mixup's images a second
//   vs_limit      against the least vs_mixup that the project accepts of the kind; 1 or more is
//   good

#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "augment/render/pixel_format.h"
#include "tests/bench/render_kit.h"

namespace mixfeed::testing {
namespace {

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

struct KindUnderTest {
  const char* name;
  RowsUnderTest rows;
  double limit;  // of vs_mixup
};

// One image instead of two should take 1/1.6 of the time, a box at most 5/4, and three images 5/4
// for each.
constexpr KindUnderTest kKinds[] = {
    {"single", RowsUnderTest::kSingle, 1.6},
    {"cutout", RowsUnderTest::kCutout, 1.6},
    {"cutmix", RowsUnderTest::kCutMix, 1 / 1.25},
    {"three_way", RowsUnderTest::kThreeWay, 2.0 / 3 / 1.25},
};

const Batches& BatchesOf(RowsUnderTest kind) {
  static const std::vector<std::unique_ptr<const Batches>>* const kAll = [] {
    auto* all = new std::vector<std::unique_ptr<const Batches>>;
    all->push_back(std::make_unique<const Batches>(RowsUnderTest::kMixup));
    for (const KindUnderTest& tested : kKinds) {
      all->push_back(std::make_unique<const Batches>(tested.rows));
    }
    return all;
  }();
  return *(*kAll)[static_cast<size_t>(kind)];
}

PixelFormat FormatOf(PixelType type, PixelLayout layout) {
  PixelFormat format = {type, layout, {}};
  if (type != PixelType::kUint8) format.normalisation = *FindNormalisation("cifar10");
  return format;
}

// Images a second that memcpy fills the ring with.
double MemcpyRate(RenderKit& kit, size_t batch_bytes) {
  const std::vector<std::byte> source(batch_bytes, std::byte{1});
  const double start = ThreadSeconds();
  size_t batches = 0;
  while (ThreadSeconds() - start < kMemcpySeconds) {
    std::memcpy(kit.Buffer(batches, batch_bytes).data(), source.data(), batch_bytes);
    benchmark::ClobberMemory();
    ++batches;
  }
  return static_cast<double>(batches * kRowsPerBatch) / (ThreadSeconds() - start);
}

// Renders batch `i` of a kind and returns the seconds that it took, or ends the benchmark.
double RenderBatch(benchmark::State& state, RowsUnderTest kind, size_t i,
                   const PixelFormat& format) {
  RenderKit& kit = RenderKit::Get();
  const size_t bytes = kRowsPerBatch * ImageBytes(kit.pool().shape(), format.type);
  const std::span<const RenderRow> rows = BatchesOf(kind)[i];
  const double start = ThreadSeconds();
  const absl::Status status = kit.renderer().Render(kit.pool(), rows, format, kit.Buffer(i, bytes));
  const double seconds = ThreadSeconds() - start;
  if (!status.ok()) state.SkipWithError(status.ToString().c_str());
  return seconds;
}

void RenderMixup(benchmark::State& state, TypeUnderTest type, PixelLayout layout) {
  RenderKit& kit = RenderKit::Get();
  const PixelFormat format = FormatOf(type.type, layout);
  const size_t bytes = kRowsPerBatch * ImageBytes(kit.pool().shape(), type.type);
  const double memcpy_rate = MemcpyRate(kit, bytes);
  double seconds = 0;
  size_t batch = 0;
  for ([[maybe_unused]] auto _ : state) {
    seconds += RenderBatch(state, RowsUnderTest::kMixup, batch++, format);
  }
  const double rate = static_cast<double>(batch * kRowsPerBatch) / seconds;
  state.counters["images/s"] = rate;
  state.counters["vs_memcpy"] = rate / memcpy_rate;
  if (type.goal > 0) state.counters["vs_goal"] = rate / type.goal;
}

void RenderKind(benchmark::State& state, KindUnderTest kind, TypeUnderTest type,
                PixelLayout layout) {
  const PixelFormat format = FormatOf(type.type, layout);
  double mixup_seconds = 0;
  double seconds = 0;
  size_t batch = 0;
  for ([[maybe_unused]] auto _ : state) {
    mixup_seconds += RenderBatch(state, RowsUnderTest::kMixup, batch, format);
    seconds += RenderBatch(state, kind.rows, batch++, format);
  }
  state.counters["images/s"] = static_cast<double>(batch * kRowsPerBatch) / seconds;
  state.counters["vs_mixup"] = mixup_seconds / seconds;
  state.counters["vs_limit"] = mixup_seconds / seconds / kind.limit;
}

void RegisterAll() {
  for (const LayoutUnderTest& layout : kLayouts) {
    for (const TypeUnderTest& type : kTypes) {
      const std::string format = std::string(type.name) + "/" + layout.name;
      benchmark::RegisterBenchmark(("Render/" + format).c_str(), RenderMixup, type, layout.layout);
      for (const KindUnderTest& kind : kKinds) {
        const std::string name = std::string("Rows/") + kind.name + "/" + format;
        benchmark::RegisterBenchmark(name.c_str(), RenderKind, kind, type, layout.layout);
      }
    }
  }
}

}  // namespace
}  // namespace mixfeed::testing

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  mixfeed::testing::RegisterAll();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
