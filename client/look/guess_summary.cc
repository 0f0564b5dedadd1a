#include "client/look/guess_summary.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "augment/target/measures.h"

namespace mixfeed {
namespace {

// A mean over spans, by their weights; none while nothing has been added.
class Mean {
 public:
  void Add(double value, double weight) {
    sum_ += value * weight;
    weight_ += weight;
  }
  std::optional<double> Get() const {
    return weight_ > 0 ? std::optional(sum_ / weight_) : std::nullopt;
  }
  double OrZero() const { return Get().value_or(0); }

 private:
  double sum_ = 0;
  double weight_ = 0;
};

// Takes spans together.
class SpanSummary {
 public:
  void Add(const v1::GuessSpan& span) {
    const auto images = static_cast<double>(span.images());
    const bool first = result_.images == 0;
    result_.model = span.model();
    result_.first_update =
        first ? span.first_update() : std::min(result_.first_update, span.first_update());
    result_.update = std::max(result_.update, span.update());
    result_.version = std::max<uint64_t>(result_.version, span.version());
    result_.images += span.images();
    result_.max_age = std::max<uint64_t>(result_.max_age, span.max_age());
    confidence_.Add(span.confidence(), images);
    entropy_.Add(span.entropy(), images);
    if (span.has_agreement()) agreement_.Add(span.agreement(), images);
    if (span.has_accuracy()) accuracy_.Add(span.accuracy(), images);
    age_.Add(span.age(), static_cast<double>(span.steps()));
    AddEach(span.class_mean(), images, &result_.class_mean);
    AddEach(span.confidence_histogram(), 1, &result_.confidence_histogram);
    const bool newest =
        span.has_validation() && (!result_.validation.has_value() ||
                                  span.validation().version() > result_.validation->version());
    if (newest) result_.validation = span.validation();
  }

  uint64_t images() const { return result_.images; }

  GuessSummary Finish(const v1::GetGuessStatsResponse& stats) {
    result_.confidence = confidence_.OrZero();
    result_.entropy = entropy_.OrZero();
    result_.agreement = agreement_.Get();
    result_.accuracy = accuracy_.Get();
    result_.age = age_.OrZero();
    for (double& share : result_.class_mean) share /= static_cast<double>(result_.images);
    for (double& share : result_.confidence_histogram) {
      share /= static_cast<double>(result_.images);
    }
    result_.effective_classes = EffectiveClasses(result_.class_mean);
    const std::vector<double> prior(stats.prior().begin(), stats.prior().end());
    if (prior.size() == result_.class_mean.size()) {
      result_.prior_distance = TotalVariation(result_.class_mean, prior);
    }
    return result_;
  }

 private:
  template <typename Field>
  static void AddEach(const Field& values, double weight, std::vector<double>* sums) {
    sums->resize(static_cast<size_t>(values.size()));
    for (int i = 0; i < values.size(); ++i) {
      (*sums)[static_cast<size_t>(i)] += weight * static_cast<double>(values.Get(i));
    }
  }

  GuessSummary result_;
  Mean confidence_, entropy_, agreement_, accuracy_, age_;
};

GuessPoint PointOf(const GuessSummary& guesses) {
  GuessPoint point{.update = static_cast<double>(guesses.update),
                   .confidence = guesses.confidence,
                   .agreement = guesses.agreement,
                   .accuracy = guesses.accuracy,
                   .prior_distance = guesses.prior_distance};
  if (guesses.validation.has_value()) {
    point.validation_accuracy = guesses.validation->accuracy();
    point.calibration_error = guesses.validation->calibration_error();
    if (guesses.validation->has_drift()) point.drift = guesses.validation->drift();
  }
  return point;
}

// Those of the model that came last, oldest first.
std::vector<const v1::GuessSpan*> SpansOfLastModel(const v1::GetGuessStatsResponse& stats) {
  std::vector<const v1::GuessSpan*> spans;
  for (const v1::GuessSpan& span : stats.spans()) {
    if (span.model() == stats.spans().rbegin()->model()) spans.push_back(&span);
  }
  return spans;
}

}  // namespace

GuessSummary SummariseNewest(const v1::GetGuessStatsResponse& stats) {
  const std::vector<const v1::GuessSpan*> spans = SpansOfLastModel(stats);
  if (spans.empty()) return {};
  SpanSummary summary;
  for (auto span = spans.rbegin(); span != spans.rend(); ++span) {
    summary.Add(**span);
    if (summary.images() >= kNewestImages) break;
  }
  return summary.Finish(stats);
}

std::vector<GuessSummary> SummariseEvenly(const v1::GetGuessStatsResponse& stats) {
  const std::vector<const v1::GuessSpan*> spans = SpansOfLastModel(stats);
  uint64_t enough = kFewestImages;
  for (const v1::GuessSpan* span : spans) enough = std::max(enough, span->images() / 2);
  std::vector<GuessSummary> parts;
  SpanSummary part;
  // From the newest on, so that what is left over is old.
  for (auto span = spans.rbegin(); span != spans.rend(); ++span) {
    part.Add(**span);
    if (part.images() < enough && *span != spans.front()) continue;
    parts.push_back(part.Finish(stats));
    part = SpanSummary();
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::string UpdatesText(uint64_t first, uint64_t last) {
  return first == last ? absl::StrCat("update ", last)
                       : absl::StrCat("updates ", first, " to ", last);
}

absl::StatusOr<GuessPicture> PictureOf(const v1::GetGuessStatsResponse& stats) {
  if (stats.spans().empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("feed ", stats.feed_id(),
                     " has made no guesses since its server opened it: there is nothing to draw"));
  }
  const GuessSummary newest = SummariseNewest(stats);
  GuessPicture picture{.title = absl::StrCat("What the guesses look like: run ", stats.run()),
                       .subtitle = absl::StrCat("feed ", stats.feed_id(), ", model ", newest.model,
                                                " up to version ", newest.version),
                       .newest = absl::StrCat(newest.images, " images, ",
                                              UpdatesText(newest.first_update, newest.update)),
                       .class_names = {stats.class_names().begin(), stats.class_names().end()},
                       .class_mean = newest.class_mean,
                       .prior = {stats.prior().begin(), stats.prior().end()},
                       .confidence = newest.confidence_histogram};
  for (const GuessSummary& part : SummariseEvenly(stats)) picture.points.push_back(PointOf(part));
  if (!stats.warning().empty()) absl::StrAppend(&picture.subtitle, "; WARNING: guesses collapse");
  return picture;
}

}  // namespace mixfeed
