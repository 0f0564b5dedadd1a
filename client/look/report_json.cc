#include <algorithm>
#include <utility>

#include "client/look/report.h"
#include "client/look/split.h"
#include "client/spec/enum_text.h"

namespace mixfeed {
namespace {

Json DatasetJson(const v1::DatasetInfo& dataset) {
  Json object = ToJson(dataset);
  object.erase("error");
  return object;
}

Json SplitJson(const RunReport& report) {
  const v1::Split& split = report.feed.spec().split();
  return {{"rule", EnumText(*v1::Split::Rule_descriptor(), split.rule())},
          {"seed", split.seed()},
          {"labelled", report.split.labelled_size()},
          {"unlabelled", report.split.unlabelled_size()},
          {"validation", report.split.validation_size()},
          {"sha256", ChecksumOf(report.split)}};
}

Json PolicyJson(const v1::Guess& guess) {
  return {{"policy", EnumText(*v1::Guess::Policy_descriptor(), guess.policy())},
          {"delay", guess.policy() == v1::Guess::DELAYED ? Json(guess.delay()) : Json(nullptr)},
          {"version", guess.policy() == v1::Guess::PINNED ? Json(guess.version()) : Json(nullptr)},
          {"batches_per_update", guess.batches_per_update()},
          {"weights", guess.ema() ? "ema" : "pushed"},
          {"statistics", guess.batch_statistics() ? "batch" : "running"},
          {"temperature", guess.temperature()}};
}

Json StalenessJson(const v1::GetGuessStatsResponse& stats) {
  Json bins = Json::array();
  const std::vector<uint64_t> steps = AgeHistogram(stats);
  for (size_t bin = 0; bin < steps.size(); ++bin) {
    const AgeRange ages = AgesOfBin(bin);
    bins.push_back({{"age_first", ages.first}, {"age_last", ages.last}, {"steps", steps[bin]}});
  }
  return bins;
}

Json GuessesJson(const v1::GetGuessStatsResponse& stats) {
  Json object = {{"steps", 0},
                 {"images", 0},
                 {"max_age", 0},
                 {"staleness", StalenessJson(stats)},
                 {"warning", stats.warning()}};
  uint64_t steps = 0, images = 0, max_age = 0;
  for (const v1::GuessSpan& span : stats.spans()) {
    steps += span.steps();
    images += span.images();
    max_age = std::max<uint64_t>(max_age, span.max_age());
  }
  object["steps"] = steps;
  object["images"] = images;
  object["max_age"] = max_age;
  object["spans"] = ToJson(stats)["spans"];
  return object;
}

}  // namespace

Json JsonOf(const RunReport& report) {
  const v1::FeedSpec& spec = report.feed.spec();
  Json models = Json::array();
  for (const v1::Model& model : report.models) models.push_back(ToJson(model));
  const bool guesses = report.guesses.has_value();
  return {
      {"feed_id", report.feed.feed_id()},
      {"run", report.feed.run()},
      {"recipe", spec.recipe().preset()},
      {"plan_version", spec.plan_version()},
      {"seeds", {{"seed", spec.seed()}, {"split_seed", spec.split().seed()}}},
      {"dataset", DatasetJson(report.dataset)},
      {"split", SplitJson(report)},
      {"builds",
       {{"client", MIXFEED_VERSION},
        {"server", report.server.version()},
        {"device", report.server.device()},
        {"environment", report.server.environment()}}},
      {"served", {{"batches", report.feed.served()}, {"below_step", report.feed.served_through()}}},
      {"policy", guesses ? PolicyJson(spec.recipe().guess()) : Json(nullptr)},
      {"guesses", guesses ? GuessesJson(*report.guesses) : Json(nullptr)},
      {"models", std::move(models)},
      {"spec", ToJson(spec)}};
}

}  // namespace mixfeed
