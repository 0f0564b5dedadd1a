#ifndef MIXFEED_AUGMENT_GUESS_GUESSER_H_
#define MIXFEED_AUGMENT_GUESS_GUESSER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/base/mutex.h"
#include "augment/guess/guess_model.h"
#include "augment/guess/journal.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

// Renders view k of the step's unlabelled rows into [rows][C][H][W] float32 under `normalisation`.
// May be called for two k at once.
using RenderGuessView =
    std::function<absl::Status(int k, const Normalisation& normalisation, std::span<float> out)>;

// Finds the model of that name that is current now; an empty name means the only one registered.
// FailedPrecondition, with what to do, where there is none.
using FindModel =
    std::function<absl::StatusOr<std::shared_ptr<GuessModel>>(const std::string& name)>;

struct GuessRequest {
  std::string feed_id;
  int64_t step = 0;
  int rows = 0;  // unlabelled images
  int views = 1;
  ImageShape shape;
  int classes = 0;
};

// Gives a step its guesses: from the journal, or else from the model, averaged, sharpened and
// journalled. A spec that names no model means the one that has guessed for the feed so far, and at
// first the only one registered, so that another's registration does not end the feed. Thread safe:
// while one call runs the model another renders its views.
class Guesser {
 public:
  // `journal` must outlive the guesser.
  Guesser(GuessSpec spec, FindModel find_model, Journal* journal);

  // Errors: FailedPrecondition for a model whose input or classes do not fit the dataset;
  // ResourceExhausted without memory for the views; what FindModel, the model, the journal and
  // render_view return.
  absl::StatusOr<StepGuess> Guess(const GuessRequest& request, const RenderGuessView& render_view);

 private:
  absl::StatusOr<StepGuess> MakeGuess(const GuessRequest& request,
                                      const RenderGuessView& render_view) const;
  absl::StatusOr<std::shared_ptr<GuessModel>> ModelOf(const std::string& feed_id) const;

  // Memory for views that a call gives back to those after it, since fresh memory takes as long as
  // rendering into it. No more of it than calls were under way at once.
  std::vector<float> TakeBuffer() const;
  void ReturnBuffer(std::vector<float> buffer) const;

  const GuessSpec spec_;
  const FindModel find_model_;
  Journal* const journal_;

  mutable Mutex mu_;
  mutable std::vector<std::vector<float>> idle_buffers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_GUESSER_H_
