#ifndef MIXFEED_AUGMENT_GUESS_GUESS_MODEL_H_
#define MIXFEED_AUGMENT_GUESS_GUESS_MODEL_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/pool/dataset.h"
#include "augment/render/pixel_format.h"

namespace mixfeed {

// What a model takes and gives.
struct GuessModelInfo {
  std::string name;
  int64_t version = 1;  // counts registrations under this name
  int64_t update = 0;   // the trainer's update count that its weights are of
  std::string kind;     // "torchscript", "wrn-28-2", "resnet-small"
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

  // One forward pass over exactly these rows. `views`: [rows][C][H][W] float32, normalised as
  // info() says; `probabilities`: [rows][classes], softmax of the model's logits.
  // batch_statistics: batch norms use the statistics of these rows (dropout stays off); the model's
  // running statistics and mode are as before when it returns. Errors: InvalidArgument (sizes),
  // FailedPrecondition (a model that cannot use these statistics), Internal (it threw; the message
  // is the model's), DataLoss (outputs that are not finite or of the wrong shape).
  virtual absl::Status Guess(std::span<const float> views, int rows, bool batch_statistics,
                             std::span<float> probabilities) = 0;

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
