// Bare forward passes of the built-in guess networks: what finished MixMatch batches are held
// against. Prints images/s; one pass is over the 64 unlabelled rows of one view index.
#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "augment/guess/torch_runtime.h"

namespace mixfeed {
namespace {

constexpr int kRows = 64;

std::vector<float> RandomViews(int64_t size) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> pixel(-1, 1);
  std::vector<float> views(static_cast<size_t>(size));
  for (float& value : views) value = pixel(random);
  return views;
}

// Arguments: guess threads, batch statistics.
void Forward(benchmark::State& state, const std::string& kind) {
  TorchRuntime runtime(static_cast<int>(state.range(0)));
  ModelSource source;
  source.info.name = source.info.kind = kind;
  const absl::StatusOr<std::shared_ptr<GuessModel>> model = runtime.Load(source);
  if (!model.ok()) return state.SkipWithError(std::string(model.status().message()).c_str());
  const std::vector<float> views = RandomViews(kRows * source.info.input.pixels());
  std::vector<float> probabilities(static_cast<size_t>(kRows * source.info.classes));
  for (auto _ : state) {
    const absl::Status status = (*model)->Guess(views, kRows, state.range(1) != 0, probabilities);
    if (!status.ok()) return state.SkipWithError(std::string(status.message()).c_str());
  }
  state.SetItemsProcessed(state.iterations() * kRows);
  state.SetLabel(runtime.environment());
}

void ForEachSetting(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"threads", "batch_statistics"})
      ->ArgsProduct({{1, 2}, {0, 1}})
      ->MeasureProcessCPUTime()
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

BENCHMARK_CAPTURE(Forward, resnet_small, "resnet-small")->Apply(ForEachSetting);
BENCHMARK_CAPTURE(Forward, wrn_28_2, "wrn-28-2")->Apply(ForEachSetting);

}  // namespace
}  // namespace mixfeed
