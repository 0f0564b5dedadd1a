// How long the generated dataset takes to draw, all 60,000 images on all hardware threads.
//   vs_limit   seconds against the project's limit; below 1 is good

#include <benchmark/benchmark.h>

#include <algorithm>
#include <thread>

#include "augment/pool/generated_dataset.h"

namespace mixfeed {
namespace {

constexpr double kLimitSeconds = 15;

void BM_GenerateDataset(benchmark::State& state) {
  ThreadPool threads(static_cast<int>(std::max(1U, std::thread::hardware_concurrency())));
  for (auto unused : state) {
    if (!GenerateDataset(GeneratorSpec{}, &threads).ok()) state.SkipWithError("cannot be drawn");
  }
  const auto runs = static_cast<double>(state.iterations());
  using benchmark::Counter;
  state.counters["vs_limit"] = Counter(kLimitSeconds * runs, Counter::kIsRate | Counter::kInvert);
}
BENCHMARK(BM_GenerateDataset)->Unit(benchmark::kSecond)->UseRealTime()->Iterations(1);

}  // namespace
}  // namespace mixfeed

BENCHMARK_MAIN();
