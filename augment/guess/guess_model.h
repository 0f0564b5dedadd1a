#ifndef MIXFEED_AUGMENT_GUESS_GUESS_MODEL_H_
#define MIXFEED_AUGMENT_GUESS_GUESS_MODEL_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/pool/dataset.h"
#include "augment/render/pixel_format.h"
#include "augment/weights/state_dict.h"

namespace mixfeed {

// What a model takes and gives.
struct GuessModelInfo {
  std::string name;
  int64_t version = 0;  // counts registrations and pushes under this name
  int64_t update = 0;   // the trainer's update count that its weights are of
  std::string weights;  // their digest, 32 hex digits; empty where nobody asks
  std::string kind;     // "torchscript", "wrn-28-2", "resnet-small", "kserve"
  ImageShape input;
  int classes = 10;
  Normalisation normalisation;  // of its float32 NCHW input
  // What a fresh guess depends on besides weights and pixels: build, device, LibTorch, BLAS,
  // instruction set, guess threads.
  std::string environment;
};

// A model that turns views into class probabilities. Thread safe; calls may wait for each other.
class GuessModel {
 public:
  virtual ~GuessModel() = default;
  virtual const GuessModelInfo& info() const = 0;

  // info().environment, but for a model elsewhere, whose server may change: as of its last answer.
  virtual std::string environment() const { return info().environment; }

  // Whether it can guess now: NotYetError (not_yet.h) while a model elsewhere does not answer.
  virtual absl::Status Ready() const { return absl::OkStatus(); }

  // One forward pass over exactly these rows. `views`: [rows][C][H][W] float32, normalised as
  // info() says; `probabilities`: [rows][classes], softmax of the model's logits.
  // batch_statistics: batch norms use the statistics of these rows (dropout stays off); the model's
  // running statistics and mode are as before when it returns. Errors: InvalidArgument (sizes),
  // FailedPrecondition (a model that cannot use these statistics), Internal (it threw; the message
  // is the model's), DataLoss (outputs that are not finite or of the wrong shape), NotYetError (not
  // Ready, or no longer).
  virtual absl::Status Guess(std::span<const float> views, int rows, bool batch_statistics,
                             std::span<float> probabilities) = 0;

  // Several passes, each as Guess makes it over `rows` rows of its own: `views`
  // [passes][rows][C][H][W], `probabilities` [passes][rows][classes]. Here one after the other;
  // overridden where they are made faster together. The first error of any of them.
  virtual absl::Status GuessPasses(std::span<const float> views, int passes, int rows,
                                   bool batch_statistics, std::span<float> probabilities);

  // The same model with other weights, beside this one: those of `weights`, which must be all that
  // it has, or, if not `whole`, any of them. Its info says `version` and `update`. Takes
  // milliseconds and waits for no pass. Errors: InvalidArgument naming the tensor that is missing,
  // unknown, not finite, or of the wrong shape or type; Unimplemented for a model whose weights are
  // elsewhere.
  virtual absl::StatusOr<std::shared_ptr<GuessModel>> WithWeights(const StateDict& /*weights*/,
                                                                  bool /*whole*/,
                                                                  int64_t /*version*/,
                                                                  int64_t /*update*/) const {
    return absl::UnimplementedError("guess model " + info().name + " takes no weights");
  }

  // All its weights in the safetensors form, as WithWeights takes them; info().weights is their
  // digest. Unimplemented as there.
  virtual absl::StatusOr<std::string> Weights() const {
    return absl::UnimplementedError("guess model " + info().name + " has no weights to give");
  }

  // One step of the exponential moving average of a model's weights (Tarvainen and Valpola 2017; as
  // google-research/mixmatch has it of the trainable variables): decay * average + (1 - decay) *
  // own over its parameters, its own for all else, the statistics of batch norms among them. Where
  // its weights are n updates after the average, `decay` is that of one update to the power of n.
  // Computed in float64; parameters come out in at least float32, since an average that moves by a
  // thousandth would stand still in half precision. As WithWeights takes it, and as the next
  // `average`. InvalidArgument names the tensor that `average` lacks or has in another shape or of
  // integers, and a decay outside 0..1; Unimplemented as there.
  virtual absl::StatusOr<std::string> Average(const StateDict& /*average*/,
                                              double /*decay*/) const {
    return absl::UnimplementedError("guess model " + info().name + " has no weights to average");
  }

  // What the model makes of these rows before its last layer, with running statistics: [rows][n]
  // for an n of the model's own. Of a built-in network the pooled activations, of a TorchScript
  // archive what its method `features` returns. Errors as Guess; FailedPrecondition also for a
  // model that has none.
  virtual absl::StatusOr<std::vector<float>> Features(std::span<const float> /*views*/,
                                                      int /*rows*/) {
    return absl::FailedPreconditionError("guess model " + info().name + " has no features");
  }
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_GUESS_MODEL_H_
