// Finished mixup batches of 64 CIFAR-sized images on one core, without a transport: what planning,
// targets and bookkeeping cost on top of the kernel (kernel_bench).
//   images/s      finished images a second

#include <benchmark/benchmark.h>

#include "tests/augment/batch/feed_kit.h"

namespace mixfeed::testing {
namespace {

constexpr int kBatch = 64;

FeedKit& Kit() {
  static FeedKit kit({.shape = {}, .train = 50'000, .test = 10, .threads = 1});
  return kit;
}

void MakeBatches(benchmark::State& state, PixelType type) {
  FeedKit& kit = Kit();
  const std::shared_ptr<const BatchMaker> maker = kit.Maker(kit.Spec("mixup", kBatch));
  PixelFormat format;
  format.type = type;
  int64_t step = 0;
  for ([[maybe_unused]] auto _ : state) {
    const auto batch = maker->Make(step++, format, Share());
    if (!batch.ok()) return state.SkipWithError(batch.status().ToString().c_str());
  }
  state.counters["images/s"] = benchmark::Counter(static_cast<double>(state.iterations() * kBatch),
                                                  benchmark::Counter::kIsRate);
}

void MakePlans(benchmark::State& state) {
  FeedKit& kit = Kit();
  const std::shared_ptr<const BatchMaker> maker = kit.Maker(kit.Spec("mixup", kBatch));
  int64_t step = 0;
  for ([[maybe_unused]] auto _ : state) {
    auto plan = maker->MakePlan(step++);
    benchmark::DoNotOptimize(plan);
  }
  state.counters["images/s"] = benchmark::Counter(static_cast<double>(state.iterations() * kBatch),
                                                  benchmark::Counter::kIsRate);
}

BENCHMARK(MakePlans);
BENCHMARK_CAPTURE(MakeBatches, uint8, PixelType::kUint8);
BENCHMARK_CAPTURE(MakeBatches, float32, PixelType::kFloat32);

}  // namespace
}  // namespace mixfeed::testing

BENCHMARK_MAIN();
