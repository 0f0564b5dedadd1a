// Bare forward passes of the built-in guess networks: what finished MixMatch batches are held
// against. One pass is over the 64 unlabelled rows of one view index; as many callers as guess
// threads. Prints images/s over all callers. With running statistics also larger passes, as merging
// the passes of several feeds of one model would make them: whether that would be faster.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "augment/guess/torch_runtime.h"

namespace mixfeed {
namespace {

std::unique_ptr<TorchRuntime> runtime;
std::shared_ptr<GuessModel> model;

// Arguments: index of the network, batch statistics, rows of a pass.
void LoadModel(const benchmark::State& state) {
  runtime = std::make_unique<TorchRuntime>(state.threads());
  ModelSource source;
  source.info.kind = BuiltinNetworks()[static_cast<size_t>(state.range(0))];
  source.info.name = source.info.kind;
  auto loaded = runtime->Load(source);
  if (!loaded.ok()) {
    std::cerr << loaded.status() << "\n";
    std::abort();
  }
  model = *std::move(loaded);
}

void UnloadModel(const benchmark::State&) {
  model.reset();
  runtime.reset();
}

std::vector<float> RandomViews(int64_t size) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> pixel(-1, 1);
  std::vector<float> views(static_cast<size_t>(size));
  for (float& value : views) value = pixel(random);
  return views;
}

void Forward(benchmark::State& state) {
  const auto rows = static_cast<int>(state.range(2));
  const std::vector<float> views = RandomViews(rows * model->info().input.pixels());
  std::vector<float> probabilities(static_cast<size_t>(rows * model->info().classes));
  for (auto _ : state) {
    const absl::Status status = model->Guess(views, rows, state.range(1) != 0, probabilities);
    if (!status.ok()) return state.SkipWithError(std::string(status.message()).c_str());
  }
  state.SetItemsProcessed(state.iterations() * rows);
  state.SetLabel(model->info().kind + ", " + model->info().environment);
}

void Cases(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"network", "batch_statistics", "rows"});
  for (int64_t network = 0; network < static_cast<int64_t>(BuiltinNetworks().size()); ++network) {
    bench->Args({network, 1, 64});
    for (const int64_t rows : {64, 128, 256}) bench->Args({network, 0, rows});
  }
}

BENCHMARK(Forward)
    ->Setup(LoadModel)
    ->Teardown(UnloadModel)
    ->Apply(Cases)
    ->Threads(1)
    ->Threads(2)
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace mixfeed
