#include "client/look/report.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "augment/base/status_macros.h"
#include "augment/recipe/describe.h"
#include "client/look/models.h"
#include "client/look/split.h"
#include "client/look/text_table.h"
#include "client/spec/local_spec.h"

namespace mixfeed {
namespace {

bool Guesses(const v1::FeedSpec& spec) {
  return spec.recipe().rows() == v1::Recipe::LABELLED_AND_UNLABELLED;
}

absl::StatusOr<v1::FeedInfo> FindFeed(FeedClient* client, const std::string& feed_id) {
  MIXFEED_ASSIGN_OR_RETURN(const auto feeds, client->ListFeeds());
  for (const v1::FeedInfo& feed : feeds.feeds()) {
    if (feed.feed_id() == feed_id) return feed;
  }
  return absl::NotFoundError(
      absl::StrCat("no feed \"", feed_id, "\" is open; `mixfeed info` lists what there is"));
}

// Those that the spec names or that have guessed; all where neither says one.
std::vector<v1::Model> ModelsOf(const RunReport& report) {
  std::set<std::string> names;
  for (const auto name :
       absl::StrSplit(report.feed.spec().recipe().guess().model(), ',', absl::SkipEmpty())) {
    names.emplace(name);
  }
  for (const v1::GuessSpan& span : report.guesses->spans()) names.insert(span.model());
  std::vector<v1::Model> models;
  for (const v1::Model& model : report.server.models()) {
    if (names.empty() || names.contains(model.name())) models.push_back(model);
  }
  return models;
}

std::string DatasetText(const v1::DatasetInfo& dataset) {
  return absl::StrCat(dataset.name(), ", ", dataset.train_images(), " + ", dataset.test_images(),
                      " images of ", ImageText(dataset.image()), ", ", dataset.class_names_size(),
                      " classes, XXH3-64 of the contents ", dataset.fingerprint());
}

std::string SplitText(const v1::GetSplitResponse& split) {
  return absl::StrCat(split.labelled_size(), " labelled, ", split.unlabelled_size(),
                      " unlabelled, ", split.validation_size(),
                      " held out; SHA-256 of `mixfeed split` ", ChecksumOf(split));
}

std::string HeadText(const RunReport& report) {
  const v1::FeedSpec& spec = report.feed.spec();
  TextTable table({"feed", report.feed.feed_id()});
  table.Add({"run", report.feed.run()});
  table.Add({"recipe", spec.recipe().preset()});
  if (const auto local = ResolveLocally(spec); local.ok()) {
    table.Add({"", local->preset->summary});
    table.Add({"source", local->preset->source});
  }
  table.Add({"plan version", absl::StrCat(spec.plan_version())});
  table.Add({"seeds", absl::StrCat(spec.seed(), "; of the split ", spec.split().seed())});
  table.Add({"batch", absl::StrCat(spec.batch(), " labelled images a step")});
  table.Add({"dataset", DatasetText(report.dataset)});
  table.Add({"split", SplitText(report.split)});
  table.Add({"server",
             absl::StrCat("mixfeed ", report.server.version(), " on ", report.server.device())});
  table.Add({"guessed in", report.server.environment()});
  table.Add({"client", absl::StrCat("mixfeed ", MIXFEED_VERSION)});
  table.Add(
      {"served", absl::StrCat(report.feed.served(), " batches, of steps below ",
                              report.feed.served_through(), ", since the server opened the feed")});
  return table.Text();
}

std::string PolicyText(const v1::Guess& guess) {
  std::string text = "policy ";
  switch (guess.policy()) {
    case v1::Guess::LOCKSTEP:
      absl::StrAppend(&text, "lockstep");
      break;
    case v1::Guess::DELAYED:
      absl::StrAppend(&text, "delayed by ", guess.delay(), " updates");
      break;
    case v1::Guess::PINNED:
      absl::StrAppend(&text, "pinned to version ", guess.version());
      break;
    default:
      absl::StrAppend(&text, "newest");
  }
  return absl::StrCat(text, ", ", guess.batches_per_update(), " batches an update, ",
                      guess.ema() ? "averaged" : "pushed", " weights, ",
                      guess.batch_statistics() ? "batch" : "running", " statistics\n");
}

std::string AgesText(const AgeRange& ages) {
  return ages.first == ages.last ? absl::StrCat(ages.first)
                                 : absl::StrCat(ages.first, "..", ages.last);
}

std::string StalenessText(const v1::GetGuessStatsResponse& stats) {
  const std::vector<uint64_t> steps = AgeHistogram(stats);
  if (steps.empty()) return "no guesses have been made since the server opened the feed\n";
  TextTable table({"age of the weights (updates)", "steps"});
  for (size_t bin = 0; bin < steps.size(); ++bin) {
    table.Add({AgesText(AgesOfBin(bin)), absl::StrCat(steps[bin])});
  }
  return table.Text();
}

std::string ModelsText(const std::vector<v1::Model>& models) {
  TextTable table({"model", "kind", "version", "update", "registered as", "weights"});
  for (const v1::Model& model : models) {
    table.Add({model.name(), model.kind(), absl::StrCat(model.version()),
               absl::StrCat(model.update()), model.digest(), model.weights()});
  }
  return table.Text();
}

// The fields that batches depend on, with the preset's value where it is another.
std::string SpecText(const v1::FeedSpec& spec) {
  const absl::StatusOr<LocalSpec> local = ResolveLocally(spec);
  // A server's recipe that is newer than this program.
  if (!local.ok()) return Dump(ToJson(spec), 2) + "\n";
  const std::vector<DescribedField> preset = DescribePreset(*local->preset);
  const std::vector<DescribedField> fields =
      DescribeRecipe(*local->preset, local->recipe, local->split);
  std::string text;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (!fields[i].read) continue;
    absl::StrAppend(&text, fields[i].path, " = ", fields[i].value);
    if (fields[i].value != preset[i].value) {
      absl::StrAppend(&text, "    # ", local->preset->name, " has ", preset[i].value);
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string TextOf(const RunReport& report) {
  std::string text = HeadText(report);
  if (report.guesses.has_value()) {
    absl::StrAppend(&text, "\nGuesses\n", PolicyText(report.feed.spec().recipe().guess()),
                    StalenessText(*report.guesses));
    if (!report.guesses->warning().empty()) {
      absl::StrAppend(&text, "WARNING: ", report.guesses->warning(), "\n");
    }
    absl::StrAppend(&text, "\n", ModelsText(report.models));
  }
  absl::StrAppend(&text, "\nWhat the batches depend on\n", SpecText(report.feed.spec()));
  return text;
}

}  // namespace

absl::StatusOr<RunReport> CollectReport(FeedClient* client, const std::string& feed_id) {
  RunReport report;
  MIXFEED_ASSIGN_OR_RETURN(report.feed, FindFeed(client, feed_id));
  MIXFEED_ASSIGN_OR_RETURN(report.server, client->GetServerInfo());
  for (const v1::DatasetInfo& dataset : report.server.datasets()) {
    if (dataset.name() == report.feed.spec().dataset()) report.dataset = dataset;
  }
  MIXFEED_ASSIGN_OR_RETURN(report.split, client->GetSplit(feed_id));
  if (!Guesses(report.feed.spec())) return report;
  MIXFEED_ASSIGN_OR_RETURN(report.guesses, client->GetGuessStats(feed_id, /*validate=*/0));
  report.models = ModelsOf(report);
  return report;
}

std::vector<uint64_t> AgeHistogram(const v1::GetGuessStatsResponse& stats) {
  std::vector<uint64_t> steps;
  for (const v1::GuessSpan& span : stats.spans()) {
    const auto bins = static_cast<size_t>(span.age_histogram_size());
    steps.resize(std::max(steps.size(), bins));
    for (size_t bin = 0; bin < bins; ++bin) steps[bin] += span.age_histogram(static_cast<int>(bin));
  }
  return steps;
}

AgeRange AgesOfBin(size_t bin) {
  if (bin == 0) return {};
  const uint64_t first = uint64_t{1} << (bin - 1);
  return {first, 2 * first - 1};
}

absl::StatusOr<Look> LookAtRun(FeedClient* client, const std::string& feed_id) {
  MIXFEED_ASSIGN_OR_RETURN(const RunReport report, CollectReport(client, feed_id));
  return Look{.text = TextOf(report), .json = JsonOf(report)};
}

}  // namespace mixfeed
