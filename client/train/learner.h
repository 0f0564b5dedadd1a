#ifndef MIXFEED_CLIENT_TRAIN_LEARNER_H_
#define MIXFEED_CLIENT_TRAIN_LEARNER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/pool/dataset.h"
#include "augment/weights/state_dict.h"
#include "client/feed_client.h"
#include "client/train/losses.h"
#include "client/train/process_group.h"
#include "client/train/variant.h"

namespace mixfeed {

struct LearnerOptions {
  std::string network = "resnet-small";  // ResidualNetwork::Names()
  ImageShape image;
  int classes = 10;
  uint64_t init_seed = 0;      // of the initial weights
  uint32_t labelled_rows = 0;  // of a step; the other rows are unlabelled. 0: all are labelled
  // Passes, batch norm updates, and form and scope of decay and EMA; its defaults of flags are not
  // read.
  TrainerVariant variant;
  bool sgd = false;             // OptimiserOptions
  double weight_decay = 0.02;   // DecayForm says of what
  double ema = 0.999;           // decay of the average, 0..1; 0: none is kept
  double norm_momentum = 1e-3;  // NormPass::momentum of passes that update
  LossKind labelled_loss = LossKind::kCrossEntropy;
  LossKind unlabelled_loss = LossKind::kSquaredError;
  uint32_t accumulate = 1;  // batches of this process an update
  uint32_t world = 1;       // processes
};

// Of one batch.
struct BatchLosses {
  double labelled = 0;
  double unlabelled = 0;         // not weighed
  double unlabelled_weight = 0;  // lambda_u
  double total() const { return labelled + unlabelled_weight * unlabelled; }
};

// Of images with one label each.
struct EvalCounts {
  uint64_t images = 0;
  uint64_t correct = 0;
  double loss = 0;  // sum of the cross-entropies, nats
};

// A built-in network in training: what an update does to weights, running statistics, optimiser and
// moving average. One update is `accumulate` calls of Add and one of Update. Equal calls give equal
// bits at an equal number of LibTorch's threads. Errors of LibTorch come as Internal. Not thread
// safe.
class Learner {
 public:
  // InvalidArgument names what is wrong with network, image or classes.
  static absl::StatusOr<std::unique_ptr<Learner>> Create(const LearnerOptions& options);
  virtual ~Learner() = default;

  // Adds the gradient of a batch's loss and the running statistics that the batch makes of the
  // update's first ones. InvalidArgument: pixels that are not float32 NCHW of options.image, other
  // classes, rows that do not fit the groups, a hidden layer that the network does not have. With
  // PAIRS as targets all rows must be labelled.
  virtual absl::StatusOr<BatchLosses> Add(const ReceivedBatch& batch) = 0;

  // The passes of the guess, where the variant's update running statistics (guess_passes_update):
  // to be called before Add, with `images` [views * rows][C][H][W] float32, K-major.
  virtual absl::Status AddGuessPasses(std::span<const float> images, uint32_t views) = 0;

  // Takes the mean of all processes' gradients and statistics, steps with the learning rate, takes
  // the moving average, decays weights. `group` may be null in a world of one. `sums`: added over
  // the processes on the way; where one is then not finite, FailedPrecondition in all of them, and
  // nothing has changed.
  virtual absl::Status Update(double rate, ProcessGroup* group, std::span<float> sums) = 0;

  // The sum of the gradients that were added, by 1 / (accumulate * world), in the safetensors form
  // under the parameters' names; and what Update would make of the running statistics, alone.
  virtual absl::StatusOr<std::string> Gradients() const = 0;

  // Forgets what Add has added since the last Update.
  virtual void Drop() = 0;

  // The averaged network with running statistics on a batch of an eval feed. InvalidArgument:
  // pixels and classes as with Add, PAIRS as targets.
  virtual absl::StatusOr<EvalCounts> Evaluate(const ReceivedBatch& batch) = 0;

  virtual uint64_t updates() const = 0;

  // The network's weights in the safetensors form: what is pushed.
  virtual absl::StatusOr<std::string> Weights() const = 0;

  // Everything that training goes on from, in the safetensors form, between updates: weights, their
  // average and the optimiser's memory under "weights/", "average/" and "optimiser/".
  virtual absl::StatusOr<std::string> State() const = 0;
  // InvalidArgument names the tensor that is missing or does not fit; the learner is then half
  // done.
  virtual absl::Status Restore(const StateDict& state, uint64_t updates) = 0;
};

// Sets the threads of LibTorch's operators in this process; 0: one a core. Returns how many.
int SetTrainerThreads(int threads);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_TRAIN_LEARNER_H_
