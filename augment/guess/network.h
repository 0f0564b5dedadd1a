#ifndef MIXFEED_AUGMENT_GUESS_NETWORK_H_
#define MIXFEED_AUGMENT_GUESS_NETWORK_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "augment/guess/torch_runtime.h"
#include "augment/weights/state_dict.h"

namespace at {
class Tensor;
}

// What stands between the runtime and LibTorch; private to this folder. LibTorch's headers are
// slow, so that only the sources that need them include them, and this header names its one type.
namespace mixfeed {

// A loaded network. Used by one thread at a time, but for the const functions of a network that
// makes no passes, and for all of one that IsThreadSafe. Its functions may throw what LibTorch
// throws.
class Network {
 public:
  virtual ~Network() = default;

  // The network's output for `views` (float32 [rows][C][H][W]), which should be logits
  // [rows][classes]. With batch statistics its batch norms normalise with those of these rows.
  // Everything that a network remembers from one call to the next is as before afterwards, also
  // when it throws; where that cannot be done, this call and all later ones throw.
  virtual at::Tensor Forward(const at::Tensor& views, bool batch_statistics) = 0;

  // Whether passes leave all of it as it is, so that several threads may make them at once.
  virtual bool IsThreadSafe() const = 0;

  // A network like this one, that shares nothing with it which passes change, with those of
  // `weights` in place of its own. Names are PyTorch's; tensors that it only counts with
  // (num_batches_tracked) may be among them. `whole`: all parameters and all statistics of batch
  // norms must be; other buffers may be missing, since state dicts leave some out. InvalidArgument
  // names the tensor that is missing, unknown, or of the wrong shape or type.
  virtual absl::StatusOr<std::unique_ptr<Network>> CloneWith(const StateDict& weights,
                                                             bool whole) const = 0;

  // All its weights, for CloneWith, as WriteSafetensors (state_dict.h) has them.
  virtual absl::StatusOr<std::string> Weights() const = 0;

  // Whether Weights() would be weights.bytes() if it had their values.
  virtual bool WouldWrite(const StateDict& weights) const = 0;

  // GuessModel::Average.
  virtual absl::StatusOr<std::string> Average(const StateDict& average, double decay) const = 0;

  // What goes into its last layer, with running statistics; should be [rows][n]. Throws when the
  // network has none. Remembers nothing, like Forward.
  virtual at::Tensor Features(const at::Tensor& views) = 0;
};

// How to add a kind of model: a function of this form in a source of its own, and a choice in
// FindLoader (torch_runtime.cc).
using LoadNetwork = absl::StatusOr<std::unique_ptr<Network>> (*)(const ModelSource& source);

// "torchscript": the archive that torch.jit.save wrote. InvalidArgument for anything else.
absl::StatusOr<std::unique_ptr<Network>> LoadTorchScript(const ModelSource& source);

// The names in BuiltinNetworks(); weights from the archive or drawn from the seed. InvalidArgument
// names the tensor that is missing, unknown, of the wrong shape or not finite.
absl::StatusOr<std::unique_ptr<Network>> LoadBuiltinNetwork(const ModelSource& source);

// Weights of a freshly initialised built-in network, in the form in which LoadBuiltinNetwork (and
// Python's torch.load) reads them.
absl::StatusOr<std::string> WriteInitialWeights(const ModelSource& source);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_NETWORK_H_
