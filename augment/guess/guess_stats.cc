#include "augment/guess/guess_stats.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <utility>

#include "absl/strings/str_format.h"
#include "augment/pool/dataset.h"

namespace mixfeed {
namespace {

// To a multiple that 2^25 values up to 16, which no entropy reaches, can be summed up in exactly.
double Rounded(double value) { return std::nearbyint(value * 0x1p24) * 0x1p-24; }

double Largest(std::span<const float> distribution) {
  return *std::max_element(distribution.begin(), distribution.end());
}

size_t ConfidenceBin(double confidence) {
  const auto bin = static_cast<size_t>(confidence * static_cast<double>(kConfidenceBins));
  return std::min(bin, kConfidenceBins - 1);
}

// What one step adds.
class StepCounter {
 public:
  StepCounter(const FreshGuess& fresh, std::span<const int16_t> labels)
      : fresh_(fresh),
        labels_(labels),
        rows_(static_cast<size_t>(fresh.guess.rows)),
        classes_(static_cast<size_t>(fresh.guess.classes)) {}

  GuessSpan Count() {
    const StepGuess& guess = fresh_.guess;
    span_.model = guess.model;
    span_.first_version = span_.version = guess.model_version;
    span_.first_update = span_.update = guess.model_update;
    span_.steps = 1;
    span_.images = guess.rows;
    span_.age_sum = span_.max_age = guess.age;
    span_.ages.resize(AgeBin(guess.age) + 1);
    span_.ages.back() = 1;
    span_.class_sum.resize(classes_);
    span_.class_count.resize(classes_);
    for (size_t row = 0; row < rows_; ++row) CountImage(row);
    return std::move(span_);
  }

 private:
  std::span<const float> RowOf(std::span<const float> rows, size_t row) const {
    return rows.subspan(row * classes_, classes_);
  }

  void CountImage(size_t row) {
    const std::span<const float> guess = RowOf(fresh_.averaged, row);
    const size_t top = MostLikely(guess);
    span_.confidence_sum += Rounded(guess[top]);
    span_.sharpened_sum += Rounded(Largest(RowOf(fresh_.guess.probabilities, row)));
    ++span_.confidence[ConfidenceBin(guess[top])];
    span_.entropy_sum += Rounded(EntropyNats(guess));
    for (size_t c = 0; c < classes_; ++c) span_.class_sum[c] += Rounded(guess[c]);
    ++span_.class_count[top];
    if (fresh_.views > 1) {
      ++span_.compared;
      span_.agreeing += ViewsAgree(row);
    }
    if (labels_[row] == kNoLabel) return;
    ++span_.labelled;
    span_.correct += std::cmp_equal(top, labels_[row]);
  }

  bool ViewsAgree(size_t row) const {
    const size_t first = MostLikely(RowOf(fresh_.view_probabilities, row));
    for (size_t k = 1; k < static_cast<size_t>(fresh_.views); ++k) {
      if (MostLikely(RowOf(fresh_.view_probabilities, k * rows_ + row)) != first) return false;
    }
    return true;
  }

  const FreshGuess& fresh_;
  const std::span<const int16_t> labels_;
  const size_t rows_;
  const size_t classes_;
  GuessSpan span_;
};

template <typename Number>
void AddEach(const std::vector<Number>& from, std::vector<Number>* to) {
  to->resize(std::max(to->size(), from.size()));
  for (size_t i = 0; i < from.size(); ++i) (*to)[i] += from[i];
}

void KeepNewest(const GuessValidation& validation, std::optional<GuessValidation>* kept) {
  if (!kept->has_value() || (*kept)->version < validation.version) *kept = validation;
}

// Adds what `from` counted of the same model.
void Merge(const GuessSpan& from, GuessSpan* to) {
  to->first_version = std::min(to->first_version, from.first_version);
  to->version = std::max(to->version, from.version);
  to->first_update = std::min(to->first_update, from.first_update);
  to->update = std::max(to->update, from.update);
  to->steps += from.steps;
  to->images += from.images;
  to->confidence_sum += from.confidence_sum;
  to->sharpened_sum += from.sharpened_sum;
  for (size_t bin = 0; bin < kConfidenceBins; ++bin) to->confidence[bin] += from.confidence[bin];
  to->entropy_sum += from.entropy_sum;
  to->compared += from.compared;
  to->agreeing += from.agreeing;
  AddEach(from.class_sum, &to->class_sum);
  AddEach(from.class_count, &to->class_count);
  to->labelled += from.labelled;
  to->correct += from.correct;
  to->age_sum += from.age_sum;
  to->max_age = std::max(to->max_age, from.max_age);
  AddEach(from.ages, &to->ages);
  if (from.validation.has_value()) KeepNewest(*from.validation, &to->validation);
}

bool Covers(const GuessSpan& span, const std::string& model, int64_t version) {
  return span.model == model && span.first_version <= version && version <= span.version;
}

// Where a span goes that none covers: among those of its model by version, else to the end.
std::vector<GuessSpan>::iterator PlaceOf(const GuessSpan& span, std::vector<GuessSpan>* spans) {
  auto place = spans->end();
  for (auto it = spans->begin(); it != spans->end(); ++it) {
    if (it->model != span.model) continue;
    if (it->first_version > span.version) return it;
    place = std::next(it);
  }
  return place;
}

}  // namespace

size_t AgeBin(int64_t age) {
  return static_cast<size_t>(std::bit_width(static_cast<uint64_t>(age)));
}

std::vector<double> GuessSpan::ClassMean() const {
  std::vector<double> mean = class_sum;
  for (double& share : mean) share /= static_cast<double>(images);
  return mean;
}

GuessStats::GuessStats(std::vector<double> prior, std::function<void(const std::string&)> warn)
    : prior_(std::move(prior)), prior_classes_(EffectiveClasses(prior_)), warn_(std::move(warn)) {}

void GuessStats::Add(const FreshGuess& fresh, std::span<const int16_t> labels) {
  GuessSpan step = StepCounter(fresh, labels).Count();
  std::string warning;
  {
    MutexLock lock(&mu_);
    last_model_ = step.model;
    AddSpan(std::move(step));
    const Newest newest = NewestGuesses();
    if (HasAtLeast(newest, kRecoveredShare)) collapsed_ = false;
    if (!HasAtLeast(newest, kCollapseShare) && !std::exchange(collapsed_, true)) {
      warning = WarningOf(newest);
    }
  }
  if (!warning.empty()) warn_(warning);
}

void GuessStats::AddSpan(GuessSpan span) {
  for (GuessSpan& known : spans_) {
    if (Covers(known, span.model, span.version)) return Merge(span, &known);
  }
  const auto place = PlaceOf(span, &spans_);
  spans_.insert(place, std::move(span));
  LimitSpans();
}

void GuessStats::LimitSpans() {
  if (spans_.size() <= kMaxSpans) return;
  size_t best = spans_.size();
  int64_t fewest = 0;
  for (size_t i = 0; i + 1 + kExactSpans < spans_.size(); ++i) {
    if (spans_[i].model != spans_[i + 1].model) continue;
    const int64_t steps = spans_[i].steps + spans_[i + 1].steps;
    if (best < spans_.size() && steps >= fewest) continue;
    best = i;
    fewest = steps;
  }
  if (best == spans_.size()) {
    spans_.erase(spans_.begin());
    return;
  }
  const auto merged = spans_.begin() + static_cast<std::ptrdiff_t>(best);
  Merge(*std::next(merged), &*merged);
  spans_.erase(std::next(merged));
}

GuessStats::Newest GuessStats::NewestGuesses() const {
  Newest newest;
  std::vector<double> sum;
  for (auto span = spans_.rbegin(); span != spans_.rend(); ++span) {
    if (span->model != last_model_) continue;
    AddEach(span->class_sum, &sum);
    newest.images += span->images;
    if (newest.images >= kCollapseImages) break;
  }
  for (double& share : sum) share /= static_cast<double>(newest.images);
  newest.classes = EffectiveClasses(sum);
  return newest;
}

bool GuessStats::HasAtLeast(const Newest& newest, double share) const {
  return newest.images < kCollapseImages || newest.classes >= share * prior_classes_;
}

std::string GuessStats::WarningOf(const Newest& newest) const {
  return absl::StrFormat(
      "guesses collapse to few classes: the mean guess of the newest %d images is as good as "
      "spread over %.2f classes, the labelled images over %.2f",
      newest.images, newest.classes, prior_classes_);
}

void GuessStats::SetValidation(const std::string& model, const GuessValidation& validation) {
  MutexLock lock(&mu_);
  for (GuessSpan& span : spans_) {
    if (!Covers(span, model, validation.version)) continue;
    KeepNewest(validation, &span.validation);
  }
}

std::vector<GuessSpan> GuessStats::Spans() const {
  MutexLock lock(&mu_);
  return spans_;
}

std::string GuessStats::Warning() const {
  MutexLock lock(&mu_);
  if (spans_.empty()) return "";
  const Newest newest = NewestGuesses();
  return HasAtLeast(newest, kCollapseShare) ? "" : WarningOf(newest);
}

}  // namespace mixfeed
