#ifndef MIXFEED_AUGMENT_GUESS_TORCH_RUNTIME_H_
#define MIXFEED_AUGMENT_GUESS_TORCH_RUNTIME_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "augment/guess/guess_model.h"

namespace mixfeed {

// Whether a model is asked to use batch statistics, running statistics or both, when it is checked.
struct ModelSource {
  GuessModelInfo info;  // environment is filled in by the runtime
  // info.kind "torchscript": the archive. Built-in kinds: weights as WriteWeights made them, or
  // empty: initialised from init_seed.
  std::string archive;
  uint64_t init_seed = 0;
  bool batch_statistics = true;  // what the model must be able to do
};

// The one place where LibTorch runs: a single thread of its own that makes all forward passes, with
// `guess_threads` threads inside an operator. Thread safe.
class TorchRuntime {
 public:
  explicit TorchRuntime(int guess_threads);
  ~TorchRuntime();
  TorchRuntime(const TorchRuntime&) = delete;
  TorchRuntime& operator=(const TorchRuntime&) = delete;

  // Loads and checks a model: runs it on random views of two sizes and refuses (with the reason) a
  // file that is no TorchScript archive, wrong shapes or class counts, outputs that are not finite,
  // a model that throws, and, under batch_statistics, one whose output for a row does not depend on
  // the other rows (frozen, or traced in eval mode). No other code executes before TryModelInChild
  // (model_trial.h) has passed. The model must not outlive the runtime.
  absl::StatusOr<std::shared_ptr<GuessModel>> Load(const ModelSource& source);

  // "libtorch 1.13.1, openblas, avx512, 2 guess threads"
  std::string environment() const;

  class Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

// Names of the built-in networks.
std::span<const char* const> BuiltinNetworks();

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_TORCH_RUNTIME_H_
