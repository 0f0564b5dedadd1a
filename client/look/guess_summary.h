#ifndef MIXFEED_CLIENT_LOOK_GUESS_SUMMARY_H_
#define MIXFEED_CLIENT_LOOK_GUESS_SUMMARY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/figure/guess_figure.h"
#include "mixfeed/v1/inspect.pb.h"

namespace mixfeed {

// Guesses of some neighbouring versions of one model, taken together: where each step has a version
// of its own, one alone says little.
struct GuessSummary {
  std::string model = {};
  uint64_t version = 0;  // the newest
  uint64_t first_update = 0;
  uint64_t update = 0;
  uint64_t images = 0;  // 0: there are no guesses yet, and nothing below is set
  double confidence = 0;
  double entropy = 0;
  std::optional<double> agreement = {};
  std::optional<double> accuracy = {};
  double age = 0;
  uint64_t max_age = 0;
  std::vector<double> class_mean = {};
  std::vector<double> confidence_histogram = {};  // shares of images
  double effective_classes = 0;
  double prior_distance = 0;
  std::optional<v1::GuessValidation> validation = {};  // the newest
};

inline constexpr uint64_t kNewestImages = 1000;
inline constexpr uint64_t kFewestImages = 256;

// The newest guesses of the model that came last: of at least kNewestImages images, or all.
GuessSummary SummariseNewest(const v1::GetGuessStatsResponse& stats);

// All guesses of that model, oldest first, in parts about as large as each other: half as many
// images as the largest span, and kFewestImages, or more; the oldest part may have fewer.
std::vector<GuessSummary> SummariseEvenly(const v1::GetGuessStatsResponse& stats);

// "updates 5 to 20", "update 5".
std::string UpdatesText(uint64_t first, uint64_t last);

// What the figure shows. FailedPrecondition while there are no guesses.
absl::StatusOr<GuessPicture> PictureOf(const v1::GetGuessStatsResponse& stats);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_LOOK_GUESS_SUMMARY_H_
