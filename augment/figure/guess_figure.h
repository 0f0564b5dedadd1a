#ifndef MIXFEED_AUGMENT_FIGURE_GUESS_FIGURE_H_
#define MIXFEED_AUGMENT_FIGURE_GUESS_FIGURE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "augment/figure/chart.h"

namespace mixfeed {

// What is drawn of the guesses that some versions of a model made; all but update in 0..1. What is
// not known is not drawn.
struct GuessPoint {
  double update = 0;  // of the trainer
  double confidence = 0;
  std::optional<double> agreement = {};
  std::optional<double> accuracy = {};
  std::optional<double> validation_accuracy = {};
  std::optional<double> calibration_error = {};
  std::optional<double> drift = {};
  double prior_distance = 0;
};

struct GuessPicture {
  std::string title = {};
  std::string subtitle = {};
  std::vector<GuessPoint> points = {};  // by version; at least one

  // Of the newest guesses, which `newest` describes: "1024 images, updates 5 to 20".
  std::string newest = {};
  std::vector<std::string> class_names = {};
  std::vector<double> class_mean = {};  // share of each class in the guesses
  std::vector<double> prior = {};       // and among the labelled images
  std::vector<double> confidence = {};  // share of images, in equal bins of 0..1
};

// Four panels: shares and distances over updates, classes, confidences.
Figure MakeGuessFigure(const GuessPicture& picture);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_FIGURE_GUESS_FIGURE_H_
