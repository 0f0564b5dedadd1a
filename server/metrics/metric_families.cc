#include "server/metrics/metric_families.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace mixfeed {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

MetricFamily Family(std::string name, std::string help, MetricType type) {
  return {"mixfeed_" + std::move(name), std::move(help), type, {}};
}

void AddNumber(double number, Labels labels, MetricFamily* to) {
  ClientMetric metric;
  metric.label = std::move(labels);
  (to->type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = number;
  to->metric.push_back(std::move(metric));
}

struct ServerNumber {
  const char* name;
  const char* help;
  MetricType type;
  uint64_t number;
};

void AddServer(const v1::GetServerInfoResponse& info, std::vector<MetricFamily>* to) {
  to->push_back(Family("info", "What runs; always 1.", MetricType::Gauge));
  AddNumber(1, {{"version", info.version()}, {"device", info.device()}}, &to->back());
  const ServerNumber numbers[] = {
      {"open_feeds", "Feeds that are open.", MetricType::Gauge, info.open_feeds()},
      {"consumers", "Open streams of batches.", MetricType::Gauge, info.consumers()},
      {"batches_made_total", "Batches made since the start.", MetricType::Counter,
       info.batches_made()},
      {"waiting_batches", "Batches asked for that wait for weights or a guess made elsewhere.",
       MetricType::Gauge, info.waiting_batches()},
      {"live_slots", "Slots that hold a batch.", MetricType::Gauge, info.live_slots()},
      {"live_slot_bytes", "Memory of those slots.", MetricType::Gauge, info.live_slot_bytes()},
      {"max_slot_bytes", "Memory that slots may take (--max-slot-bytes).", MetricType::Gauge,
       info.max_slot_bytes()},
      {"live_frames", "Batches encoded for the wire and not yet sent.", MetricType::Gauge,
       info.live_frames()},
  };
  for (const ServerNumber& number : numbers) {
    to->push_back(Family(number.name, number.help, number.type));
    AddNumber(static_cast<double>(number.number), {}, &to->back());
  }
}

void AddModels(const v1::GetServerInfoResponse& info, std::vector<MetricFamily>* to) {
  MetricFamily version =
      Family("model_version", "Newest version of a guess model's weights.", MetricType::Gauge);
  MetricFamily update =
      Family("model_update", "The trainer's updates that they are of.", MetricType::Gauge);
  for (const v1::Model& model : info.models()) {
    const Labels labels = {{"model", model.name()}};
    AddNumber(static_cast<double>(model.version()), labels, &version);
    AddNumber(static_cast<double>(model.update()), labels, &update);
  }
  to->push_back(std::move(version));
  to->push_back(std::move(update));
}

// The newest guesses of one model for one feed.
struct Newest {
  Labels labels;
  const v1::GetGuessStatsResponse* feed;
  const v1::GuessSpan* span;
};

// A model's spans stand together, oldest first.
std::vector<Newest> NewestSpans(std::span<const v1::GetGuessStatsResponse> guesses) {
  std::vector<Newest> newest;
  for (const v1::GetGuessStatsResponse& feed : guesses) {
    for (int i = 0; i < feed.spans_size(); ++i) {
      const v1::GuessSpan& span = feed.spans(i);
      if (i + 1 < feed.spans_size() && feed.spans(i + 1).model() == span.model()) continue;
      newest.push_back(
          {{{"feed", feed.feed_id()}, {"run", feed.run()}, {"model", span.model()}}, &feed, &span});
    }
  }
  return newest;
}

struct GuessNumber {
  const char* name;
  const char* help;
  std::optional<double> number;
};

std::optional<double> If(bool is_set, double number) {
  return is_set ? std::optional(number) : std::nullopt;
}

std::vector<GuessNumber> NumbersOf(const v1::GuessSpan& span) {
  const v1::GuessValidation& slice = span.validation();
  const bool tried = span.has_validation();
  return {
      {"guess_version", "Version of the weights that guessed last.",
       static_cast<double>(span.version())},
      {"guess_update", "The trainer's updates that they are of.",
       static_cast<double>(span.update())},
      {"guess_steps", "Steps that they guessed.", static_cast<double>(span.steps())},
      {"guess_confidence", "Mean largest probability of the guesses.", span.confidence()},
      {"guess_sharpened_confidence", "Mean largest probability of the sharpened guesses.",
       span.sharpened_confidence()},
      {"guess_entropy_nats", "Mean entropy of the guesses.", span.entropy()},
      {"guess_agreement_ratio",
       "Share of images whose views have one and the same likeliest class.",
       If(span.has_agreement(), span.agreement())},
      {"guess_effective_classes", "exp(entropy of the mean guess): 1 when all are one class.",
       span.effective_classes()},
      {"guess_prior_distance", "Total variation of the mean guess and the labelled classes, 0..1.",
       span.prior_distance()},
      {"guess_accuracy_ratio", "Share of images whose likeliest class is their hidden label.",
       If(span.has_accuracy(), span.accuracy())},
      {"guess_age_updates", "Mean age of the weights when they guessed.", span.age()},
      {"guess_max_age_updates", "Largest age of the weights when they guessed.",
       static_cast<double>(span.max_age())},
      {"guess_validation_accuracy_ratio", "Accuracy on the validation slice.",
       If(tried, slice.accuracy())},
      {"guess_calibration_error", "Expected calibration error on the validation slice.",
       If(tried, slice.calibration_error())},
      {"guess_drift", "Mean total variation of the slice's guesses since the version tried before.",
       If(slice.has_drift(), slice.drift())},
  };
}

void AddGuessNumbers(std::span<const Newest> newest, std::vector<MetricFamily>* to) {
  const size_t first = to->size();
  for (const GuessNumber& number : NumbersOf({})) {
    to->push_back(Family(number.name, number.help, MetricType::Gauge));
  }
  for (const Newest& of : newest) {
    size_t family = first;
    for (const GuessNumber& number : NumbersOf(*of.span)) {
      if (number.number.has_value()) AddNumber(*number.number, of.labels, &(*to)[family]);
      ++family;
    }
  }
}

// Gauges and not a histogram, whose counts may only grow: these are of the newest version alone.
MetricFamily ConfidenceShares(std::span<const Newest> newest) {
  MetricFamily family =
      Family("guess_confidence_ratio", "Share of guesses whose largest probability is at most le.",
             MetricType::Gauge);
  for (const Newest& of : newest) {
    if (of.span->images() == 0) continue;
    const int bins = of.span->confidence_histogram_size();
    uint64_t below = 0;
    for (int bin = 0; bin < bins; ++bin) {
      below += of.span->confidence_histogram(bin);
      Labels labels = of.labels;
      labels.push_back({"le", absl::StrCat(static_cast<double>(bin + 1) / bins)});
      AddNumber(static_cast<double>(below) / static_cast<double>(of.span->images()),
                std::move(labels), &family);
    }
  }
  return family;
}

MetricFamily Classes(std::span<const Newest> newest) {
  MetricFamily family = Family("guess_class_ratio", "Mean guess, by class.", MetricType::Gauge);
  for (const Newest& of : newest) {
    const int classes = std::min(of.span->class_mean_size(), of.feed->class_names_size());
    for (int i = 0; i < classes; ++i) {
      Labels labels = of.labels;
      labels.push_back({"class", of.feed->class_names(i)});
      AddNumber(of.span->class_mean(i), std::move(labels), &family);
    }
  }
  return family;
}

MetricFamily Warnings(std::span<const v1::GetGuessStatsResponse> guesses) {
  MetricFamily family =
      Family("guess_warning", "1 while the newest guesses have collapsed to few classes.",
             MetricType::Gauge);
  for (const v1::GetGuessStatsResponse& feed : guesses) {
    AddNumber(feed.warning().empty() ? 0 : 1, {{"feed", feed.feed_id()}, {"run", feed.run()}},
              &family);
  }
  return family;
}

}  // namespace

std::vector<MetricFamily> MakeMetricFamilies(const v1::GetServerInfoResponse& info,
                                             std::span<const v1::GetGuessStatsResponse> guesses) {
  std::vector<MetricFamily> families;
  AddServer(info, &families);
  AddModels(info, &families);
  const std::vector<Newest> newest = NewestSpans(guesses);
  AddGuessNumbers(newest, &families);
  families.push_back(ConfidenceShares(newest));
  families.push_back(Classes(newest));
  families.push_back(Warnings(guesses));
  return families;
}

}  // namespace mixfeed
