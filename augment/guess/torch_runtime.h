#ifndef MIXFEED_AUGMENT_GUESS_TORCH_RUNTIME_H_
#define MIXFEED_AUGMENT_GUESS_TORCH_RUNTIME_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "augment/guess/guess_model.h"

namespace mixfeed {

// GuessModelInfo::kind of a TorchScript archive; the other kinds are BuiltinNetworks().
inline constexpr char kTorchScriptKind[] = "torchscript";

// What a model is made of.
struct ModelSource {
  GuessModelInfo info;  // environment is filled in by the runtime
  // kTorchScriptKind: the archive that torch.jit.save wrote. Built-in kinds: weights, as
  // InitialWeights or torch.save(dict(model.state_dict())) in Python write them; empty: initialised
  // from init_seed.
  std::string archive;
  uint64_t init_seed = 0;
  bool batch_statistics = true;  // what the model must be able to do
  std::string address;           // of a model that another server runs; not for LibTorch
};

// The one place where LibTorch runs: up to two threads of its own that make all forward passes,
// each with a network of its own, and with half of `guess_threads` threads inside an operator. Up
// to 3 guess threads a guess is therefore the same in every bit, whatever their number. Thread
// safe.
class TorchRuntime {
 public:
  // Values below 1 mean 1.
  explicit TorchRuntime(int guess_threads);
  ~TorchRuntime();
  TorchRuntime(const TorchRuntime&) = delete;
  TorchRuntime& operator=(const TorchRuntime&) = delete;

  // Loads and checks a model: runs it on random views of two sizes and refuses (with the reason) a
  // file that is no TorchScript archive, wrong shapes or class counts, outputs that are not finite,
  // a model that throws, one that is random or changes its parameters, under batch_statistics one
  // whose output for a row does not depend on the other rows (frozen, or traced in eval mode), and
  // otherwise one whose output does (traced in train mode). What a model remembers besides
  // parameters is taken back after every pass. An archive's code executes here, so a server loads
  // only what TryModelInChild (model_trial.h) has passed. The model must not outlive the runtime.
  absl::StatusOr<std::shared_ptr<GuessModel>> Load(const ModelSource& source);

  // The weights with which a built-in network starts, as an archive: what init_seed alone gives.
  absl::StatusOr<std::string> InitialWeights(const ModelSource& source);

  // What a fresh guess depends on besides model and views (torch_environment.h).
  std::string environment() const;

  class Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

// Names of the built-in networks: "wrn-28-2" as in the MixMatch paper, and "resnet-small".
std::span<const char* const> BuiltinNetworks();

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_TORCH_RUNTIME_H_
