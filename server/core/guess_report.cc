#include "server/core/guess_report.h"

#include <vector>

#include "augment/target/measures.h"

namespace mixfeed {
namespace {

double Ratio(double part, int64_t whole) { return part / static_cast<double>(whole); }

void FillValidation(const GuessValidation& validation, v1::GuessValidation* to) {
  to->set_version(static_cast<uint64_t>(validation.version));
  to->set_images(static_cast<uint32_t>(validation.calibration.images));
  to->set_accuracy(validation.calibration.accuracy);
  to->set_confidence(validation.calibration.confidence);
  to->set_calibration_error(validation.calibration.error);
  if (!validation.drift.has_value()) return;
  to->set_drift(*validation.drift);
  to->set_drift_from(static_cast<uint64_t>(validation.drift_from));
}

void FillSpan(const GuessSpan& span, const std::vector<double>& prior, v1::GuessSpan* to) {
  to->set_model(span.model);
  to->set_first_version(static_cast<uint64_t>(span.first_version));
  to->set_version(static_cast<uint64_t>(span.version));
  to->set_first_update(static_cast<uint64_t>(span.first_update));
  to->set_update(static_cast<uint64_t>(span.update));
  to->set_steps(static_cast<uint64_t>(span.steps));
  to->set_images(static_cast<uint64_t>(span.images));
  to->set_confidence(Ratio(span.confidence_sum, span.images));
  to->set_sharpened_confidence(Ratio(span.sharpened_sum, span.images));
  for (const int64_t count : span.confidence) {
    to->add_confidence_histogram(static_cast<uint64_t>(count));
  }
  to->set_entropy(Ratio(span.entropy_sum, span.images));
  if (span.compared > 0) {
    to->set_agreement(Ratio(static_cast<double>(span.agreeing), span.compared));
  }
  const std::vector<double> mean = span.ClassMean();
  to->mutable_class_mean()->Assign(mean.begin(), mean.end());
  to->mutable_class_count()->Assign(span.class_count.begin(), span.class_count.end());
  to->set_effective_classes(EffectiveClasses(mean));
  to->set_prior_distance(TotalVariation(mean, prior));
  if (span.labelled >= kMinAccuracyImages) {
    to->set_accuracy(Ratio(static_cast<double>(span.correct), span.labelled));
  }
  to->set_age(Ratio(static_cast<double>(span.age_sum), span.steps));
  to->set_max_age(static_cast<uint64_t>(span.max_age));
  to->mutable_age_histogram()->Assign(span.ages.begin(), span.ages.end());
  if (span.validation.has_value()) FillValidation(*span.validation, to->mutable_validation());
}

}  // namespace

v1::GetGuessStatsResponse ReportGuesses(const OpenedFeed& feed) {
  v1::GetGuessStatsResponse response;
  response.set_feed_id(feed.id);
  response.set_run(feed.run);
  for (const std::string& name : feed.dataset->class_names) response.add_class_names(name);
  const std::vector<double>& prior = feed.guess_stats->prior();
  response.mutable_prior()->Assign(prior.begin(), prior.end());
  response.set_prior_classes(EffectiveClasses(prior));
  for (const GuessSpan& span : feed.guess_stats->Spans()) {
    FillSpan(span, prior, response.add_spans());
  }
  response.set_warning(feed.guess_stats->Warning());
  response.set_validation_images(static_cast<uint32_t>(feed.validator->images()));
  response.set_temperature(feed.spec.recipe.guess.temperature);
  return response;
}

}  // namespace mixfeed
