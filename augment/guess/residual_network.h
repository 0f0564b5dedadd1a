#ifndef MIXFEED_AUGMENT_GUESS_RESIDUAL_NETWORK_H_
#define MIXFEED_AUGMENT_GUESS_RESIDUAL_NETWORK_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "augment/pool/dataset.h"
#include "augment/weights/state_dict.h"

namespace at {
class Tensor;
}

// The built-in networks, for those who guess with them and those who train them. Functions of
// tensors may throw what LibTorch throws.
namespace mixfeed {

// A network's tensors by name, in the order of their use.
using NamedTensors = std::deque<std::pair<std::string, at::Tensor>>;

// What the batch norms do in one forward pass.
struct NormPass {
  // They normalise with the statistics of the pass's rows, else with the running ones.
  bool batch_statistics = true;
  // With batch statistics: running += momentum * (these - running), the variance unbiased, as
  // PyTorch has it (TensorFlow's momentum is 1 - this). 0: the running ones stay as they are.
  double momentum = 0;
};

// A wide residual network as in MixMatch's official code (libml/models.py, ResNet): a stem of 16
// channels, three scales of pre-activation blocks, and a dense layer on the average over the image.
// Not thread safe.
class ResidualNetwork {
 public:
  // Of the scales, whose activations can be mixed: layers 1..kScales.
  static constexpr int kScales = 3;

  // What to make of a scale's (1..kScales) activations before they go on.
  using HiddenMix = std::function<at::Tensor(int scale, const at::Tensor& activations)>;

  // "wrn-28-2", "resnet-small".
  static std::span<const char* const> Names();

  // Weights drawn from the seed, by a generator of their own; without one they are not initialised.
  // InvalidArgument names what is wrong with name, input or classes, and what is allowed.
  static absl::StatusOr<std::unique_ptr<ResidualNetwork>> Create(const std::string& name,
                                                                 const ImageShape& input,
                                                                 int classes,
                                                                 std::optional<uint64_t> seed);
  ~ResidualNetwork();

  // Logits [rows][classes] of images [rows][C][H][W], float32. Differentiable by the tensors that
  // ask for gradients.
  at::Tensor Forward(const at::Tensor& images, const NormPass& norms,
                     const HiddenMix& mix = nullptr) const;

  // What goes into the last layer, with running statistics: [rows][n].
  at::Tensor Features(const at::Tensor& images) const;

  // A network like this one with those of `weights` in place of its own tensors, which it else
  // shares; names that PyTorch only counts with may be among them. `whole`: all must be there.
  // InvalidArgument names the tensor that is missing, unknown, or of the wrong shape or type.
  absl::StatusOr<std::unique_ptr<ResidualNetwork>> CloneWith(const StateDict& weights,
                                                             bool whole) const;

  // All tensors in the safetensors form; equal values give equal bytes.
  absl::StatusOr<std::string> Weights() const;

  // May be assigned to, tensor by tensor.
  NamedTensors& tensors();
  const NamedTensors& tensors() const;

  // A running mean or variance of a batch norm, and so no parameter.
  static bool IsStatistic(const std::string& name);
  // PyTorch counts the batches that a norm has seen; nothing here uses it.
  static bool IsIgnored(const std::string& name);

 private:
  struct Impl;
  explicit ResidualNetwork(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_RESIDUAL_NETWORK_H_
