#ifndef MIXFEED_AUGMENT_GUESS_GUESS_STATS_H_
#define MIXFEED_AUGMENT_GUESS_GUESS_STATS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "augment/base/mutex.h"
#include "augment/guess/fresh_guess.h"
#include "augment/target/measures.h"

namespace mixfeed {

inline constexpr size_t kConfidenceBins = 20;

// The bin of an age (>= 0) in a staleness histogram: 0, 1, 2..3, 4..7, ...
size_t AgeBin(int64_t age);

// What guesses one version of a model made of the validation slice.
struct GuessValidation {
  int64_t version = 0;
  Calibration calibration = {};
  // Mean total variation between its guesses and those of version drift_from, the one tried before.
  std::optional<double> drift = std::nullopt;
  int64_t drift_from = 0;
};

// What was counted of the guesses that the versions first_version..version of one model made, the
// first of the models where several guess together. A
// guess is the mean of an image's K views (FreshGuess::averaged) where nothing else is said.
struct GuessSpan {
  std::string model;
  int64_t first_version = 0;
  int64_t version = 0;
  int64_t first_update = 0;  // the trainer's updates that the weights are of
  int64_t update = 0;
  int64_t steps = 0;
  int64_t images = 0;                                    // over the steps
  double confidence_sum = 0;                             // of the largest probabilities
  double sharpened_sum = 0;                              // of those of the sharpened guesses
  std::array<int64_t, kConfidenceBins> confidence = {};  // images by confidence, 20 bins of 0..1
  double entropy_sum = 0;                                // nats
  int64_t compared = 0;                                  // images with at least two views
  int64_t agreeing = 0;                                  // of them, with one most likely class
  std::vector<double> class_sum;                         // [classes], of the guesses
  std::vector<int64_t> class_count;                      // images by their most likely class
  int64_t labelled = 0;                                  // images whose hidden label is known
  int64_t correct = 0;                                   // of them, whose most likely class it is
  int64_t age_sum = 0;                                   // over steps, in updates
  int64_t max_age = 0;
  std::vector<int64_t> ages;                  // steps by AgeBin, up to that of max_age
  std::optional<GuessValidation> validation;  // of the newest version that has one

  // The mean guess, by class.
  std::vector<double> ClassMean() const;
};

// What the guesses of one feed look like, by version of the model; only fresh ones are counted, so
// that a replay counts none twice. Lives in memory: counts begin with the object. The values added
// are rounded to multiples of 2^-24 first, so that up to 2^25 images a span the sums, and with them
// all numbers, are the same in whatever order steps are guessed.
//
// Bounded: at most kMaxSpans spans of 16 bytes a class and some. The newest kExactSpans have a
// version each; where there would be more in all, two neighbours of one model before them are
// merged, the two that have the fewest steps together, so that the past of a run keeps an even
// resolution; where no two can be merged, the oldest is dropped.
//
// Guesses collapse when the mean guess of the newest kCollapseImages images or more has fewer than
// kCollapseShare of the prior's effective classes (EffectiveClasses). Thread safe.
class GuessStats {
 public:
  static constexpr size_t kMaxSpans = 64;
  static constexpr size_t kExactSpans = 16;
  static constexpr int64_t kCollapseImages = 512;
  static constexpr double kCollapseShare = 0.5;
  static constexpr double kRecoveredShare = 0.7;

  // `prior`: share of each class among the labelled images. `warn` is told when guesses collapse,
  // once until they have recovered to kRecoveredShare; it is called without a lock.
  GuessStats(std::vector<double> prior, std::function<void(const std::string&)> warn);

  // `labels`: the classes of the guess' rows, kNoLabel where unknown.
  void Add(const FreshGuess& fresh, std::span<const int16_t> labels);

  // Notes what a version made of the validation slice; nothing when no span has that version.
  void SetValidation(const std::string& model, const GuessValidation& validation);

  // Oldest first.
  std::vector<GuessSpan> Spans() const;
  // What is wrong with the newest guesses, for people; empty: nothing.
  std::string Warning() const;
  const std::vector<double>& prior() const { return prior_; }

 private:
  // The newest guesses of the model that guessed last.
  struct Newest {
    int64_t images = 0;
    double classes = 0;  // effective ones
  };

  void AddSpan(GuessSpan span) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LimitSpans() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Newest NewestGuesses() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Of what NewestGuesses tells.
  bool HasAtLeast(const Newest& newest, double share) const;
  std::string WarningOf(const Newest& newest) const;

  const std::vector<double> prior_;
  const double prior_classes_;
  const std::function<void(const std::string&)> warn_;

  mutable Mutex mu_;
  // Those of one model stand together, by version.
  std::vector<GuessSpan> spans_ ABSL_GUARDED_BY(mu_);
  std::string last_model_ ABSL_GUARDED_BY(mu_);
  bool collapsed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_GUESS_STATS_H_
