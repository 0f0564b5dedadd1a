#ifndef MIXFEED_AUGMENT_GUESS_GUESSER_H_
#define MIXFEED_AUGMENT_GUESS_GUESSER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/base/mutex.h"
#include "augment/guess/fresh_guess.h"
#include "augment/guess/guess_model.h"
#include "augment/guess/journal.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

// Renders view k of the step's unlabelled rows into [rows][C][H][W] float32 under `normalisation`.
using RenderGuessView =
    std::function<absl::Status(int k, const Normalisation& normalisation, std::span<float> out)>;

// Which of a model's weights are wanted.
struct WeightsWish {
  enum class Kind : uint8_t {
    kNewest,
    kUpdate,   // those of the trainer's update `number`; of update 0 the initial ones
    kVersion,  // those of version `number`
  };
  Kind kind = Kind::kNewest;
  int64_t number = 0;
  bool ema = false;  // the moving average up to them, in their place

  friend bool operator==(const WeightsWish&, const WeightsWish&) = default;
};

// Whether the policy is met only by a trainer that pushes after every update.
bool NeedsEveryUpdate(const GuessSpec& spec);

// The models that guess for a feed: those that `spec` names; else the one that has guessed for it
// so far; else an empty name, that of the only one registered. Errors: what the journal returns.
absl::StatusOr<std::vector<std::string>> ModelNames(const GuessSpec& spec,
                                                    const std::string& feed_id, Journal* journal);

// Which weights guess `step` under the policy of `spec`.
WeightsWish WishOf(const GuessSpec& spec, int64_t step);

// Finds a model by its name, an empty one meaning the only model registered, with the weights
// wanted. NotYetError (not_yet.h) while the trainer has not pushed them, or while the model is not
// Ready; FailedPrecondition, with what to do, where there is no such model or its weights are no
// longer kept.
using FindModel = std::function<absl::StatusOr<std::shared_ptr<GuessModel>>(
    const std::string& name, const WeightsWish& wish)>;

struct GuessRequest {
  std::string feed_id;
  int64_t step = 0;
  int rows = 0;  // unlabelled images
  int views = 1;
  ImageShape shape;
  int classes = 0;
  // Not for a guess that the journal has already, or that another process has written first.
  ObserveGuess observe = nullptr;
};

// Gives a step its guesses: from the journal, or else from the models, averaged over views and
// models, sharpened and journalled. A spec that names no model means the one that has guessed for
// the feed so far, and at first the only one registered, so that another's registration does not
// end the feed. The views of a step whose weights are still to come are rendered meanwhile and kept
// for it until it or a later one has its guess, but no more than max_prepared_floats of all steps
// together: then the highest steps go without. Thread safe: while one call runs the model another
// renders its views.
class Guesser {
 public:
  static constexpr size_t kMaxPreparedFloats = (size_t{64} << 20) / sizeof(float);

  // `journal` must outlive the guesser.
  Guesser(GuessSpec spec, FindModel find_model, Journal* journal,
          size_t max_prepared_floats = kMaxPreparedFloats);

  // Errors: FailedPrecondition for a model whose input or classes do not fit the dataset;
  // ResourceExhausted without memory for the views; Aborted for a model elsewhere that does not
  // stay the same for long enough; what FindModel, the model, the journal and render_view return,
  // NotYetError among it.
  absl::StatusOr<StepGuess> Guess(const GuessRequest& request, const RenderGuessView& render_view);

  // Whether a step that was not yet to be guessed may be now. Cheap: looks for the weights alone,
  // and whether the journal can be reached.
  bool IsReady(const std::string& feed_id, int64_t step) const;

 private:
  // A step's views, made before its weights were there.
  struct Prepared {
    Normalisation normalisation;  // of the first model
    std::vector<float> views;     // [K][rows][C][H][W]

    // What a model that takes `wanted` can use of them.
    std::span<const float> For(const Normalisation& wanted) const {
      return normalisation == wanted ? std::span(views) : std::span<const float>();
    }
  };

  // A guess, and what it was made of.
  struct Made {
    StepGuess guess;
    int view_count = 0;           // of all models together
    std::vector<float> views;     // [view_count][rows][classes]
    std::vector<float> averaged;  // [rows][classes]
  };
  using Models = std::vector<std::shared_ptr<GuessModel>>;

  absl::StatusOr<Made> MakeGuess(const GuessRequest& request,
                                 const RenderGuessView& render_view) const;

  // Appends the model's guesses for all views, which are `prepared` already if that is not empty,
  // and says where they were made.
  absl::Status AddGuesses(const GuessRequest& request, const RenderGuessView& render_view,
                          std::span<const float> prepared, GuessModel* model,
                          std::vector<float>* guesses, std::string* environment) const;
  // Those that guess the feed; at least one.
  absl::StatusOr<Models> FindModels(const std::string& feed_id, const WeightsWish& wish) const;

  // Renders the step's views and keeps them, unless too many of lower steps are kept.
  absl::Status Prepare(const GuessRequest& request, const RenderGuessView& render_view) const;
  absl::Status RenderAll(const GuessRequest& request, const RenderGuessView& render_view,
                         Prepared* prepared) const;
  // What was prepared of the step, if anything was; it is no longer kept.
  Prepared TakePrepared(int64_t step) const;
  // Whether there is room for so many floats of the step, which those of higher ones make.
  bool ReservePrepared(int64_t step, size_t floats) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DropPrepared(std::map<int64_t, Prepared>::iterator prepared) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Forgets what is kept of the steps up to one that has its guess: the weights of all of them are
  // there, and whoever still wants one is making it.
  void DropPreparedThrough(int64_t step) const;

  // Memory for views that a call gives back to those after it, since fresh memory takes as long as
  // rendering into it. No more of it than calls were under way at once.
  std::vector<float> TakeBuffer() const;
  void ReturnBuffer(std::vector<float> buffer) const;

  const GuessSpec spec_;
  const FindModel find_model_;
  Journal* const journal_;
  const size_t max_prepared_floats_;

  mutable Mutex mu_;
  mutable std::vector<std::vector<float>> idle_buffers_ ABSL_GUARDED_BY(mu_);
  mutable std::map<int64_t, Prepared> prepared_ ABSL_GUARDED_BY(mu_);  // by step
  mutable size_t prepared_floats_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_GUESSER_H_
