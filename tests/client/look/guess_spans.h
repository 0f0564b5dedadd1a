#ifndef MIXFEED_TESTS_CLIENT_LOOK_GUESS_SPANS_H_
#define MIXFEED_TESTS_CLIENT_LOOK_GUESS_SPANS_H_

#include <cstdint>
#include <string>

#include "mixfeed/v1/inspect.pb.h"

namespace mixfeed::testing {

// What a server would tell of a feed with two classes, still without spans.
inline v1::GetGuessStatsResponse TwoClassStats() {
  v1::GetGuessStatsResponse stats;
  stats.set_feed_id("feed");
  stats.set_run("trial");
  stats.set_temperature(0.5);
  stats.set_prior_classes(2);
  for (const char* name : {"cat", "dog"}) {
    stats.add_class_names(name);
    stats.add_prior(0.5);
  }
  return stats;
}

// Of one version, which is of the update ten times as high. All images are in the confidence bin
// 15, and 3 of 4 are cats.
inline v1::GuessSpan* AddSpan(uint64_t version, uint64_t images, v1::GetGuessStatsResponse* stats) {
  v1::GuessSpan* const span = stats->add_spans();
  span->set_model("net");
  span->set_first_version(version);
  span->set_version(version);
  span->set_first_update(10 * version);
  span->set_update(10 * version);
  span->set_steps(1);
  span->set_images(images);
  span->set_confidence(0.75);
  span->set_entropy(0.56);
  for (int bin = 0; bin < 20; ++bin) span->add_confidence_histogram(bin == 15 ? images : 0);
  span->add_class_mean(0.75);
  span->add_class_mean(0.25);
  span->set_effective_classes(1.75);
  span->set_prior_distance(0.25);
  return span;
}

inline v1::GuessValidation* AddValidation(v1::GuessSpan* span) {
  v1::GuessValidation* const validation = span->mutable_validation();
  validation->set_version(span->version());
  validation->set_images(256);
  validation->set_accuracy(0.625);
  validation->set_confidence(0.7);
  validation->set_calibration_error(0.125);
  return validation;
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_CLIENT_LOOK_GUESS_SPANS_H_
