#include "server/core/feed_registry.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/guess/guesser.h"
#include "augment/recipe/enum_names.h"
#include "server/core/batch_limits.h"
#include "server/core/names.h"
#include "server/core/spec_convert.h"

namespace mixfeed {
namespace {

// The smallest batches that a feed can be asked for: what cannot be sent even so is refused.
constexpr PixelFormat kSmallestFormat{
    .type = PixelType::kUint8, .layout = PixelLayout::kNchw, .normalisation = {}};

auto HasId(const std::string& id) {
  return [&id](const std::shared_ptr<const OpenedFeed>& feed) { return feed->id == id; };
}

// Share of each class among labelled images.
std::vector<double> PriorOf(const Dataset& dataset, const std::vector<int32_t>& labelled) {
  std::vector<double> prior(static_cast<size_t>(dataset.num_classes()));
  for (const int32_t sample : labelled) {
    const int16_t label = dataset.train.labels[static_cast<size_t>(sample)];
    prior[static_cast<size_t>(label)] += 1.0 / static_cast<double>(labelled.size());
  }
  return prior;
}

absl::Status NotOpen(const std::string& id) {
  return absl::NotFoundError(
      absl::StrCat("feed_id is \"", id, "\"; no such feed is open, OpenFeed opens it again"));
}

// As ModelRegistry finds them: an empty name is that of the only model.
std::vector<std::string> ModelsOf(const GuessSpec& guess) {
  std::vector<std::string> names = guess.models();
  if (names.empty()) names.emplace_back();
  return names;
}

}  // namespace

absl::Status FeedRegistry::Restore() {
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<FeedStore::Record> records, parts_.store->ReadAll());
  MutexLock opening(&open_mu_);
  size_t restored = 0;
  for (const FeedStore::Record& record : records) {
    const absl::Status status = RestoreOne(record);
    restored += status.ok();
    if (status.ok()) continue;
    spdlog::warn("feed {} of run \"{}\" is not restored: {}", record.feed_id, record.run,
                 std::string(status.message()));
  }
  if (!records.empty()) spdlog::info("{} of {} feeds are open again", restored, records.size());
  return absl::OkStatus();
}

absl::Status FeedRegistry::RestoreOne(const FeedStore::Record& record) {
  MIXFEED_ASSIGN_OR_RETURN(auto feed, Resolve(record.spec, record.run));
  if (feed->id != record.feed_id) return absl::DataLossError("its dataset has changed");
  MIXFEED_RETURN_IF_ERROR(Build(feed.get()));
  MIXFEED_RETURN_IF_ERROR(MakeRoom());
  Add(std::move(feed));
  MutexLock lock(&mu_);
  only_restored_.insert(record.feed_id);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const OpenedFeed>> FeedRegistry::Open(const v1::FeedSpec& spec,
                                                                     const std::string& run) {
  const std::string name = run.empty() ? RandomName() : run;
  MIXFEED_RETURN_IF_ERROR(CheckName("run", name));
  MIXFEED_ASSIGN_OR_RETURN(const std::shared_ptr<OpenedFeed> feed, Resolve(spec, name));
  if (auto open = FindAgain(feed->id)) return open;
  MIXFEED_RETURN_IF_ERROR(CheckPolicy(feed->spec.recipe));
  // Before the lock, which whoever opens or closes another feed waits for.
  MIXFEED_RETURN_IF_ERROR(AwaitNeighbours(*feed));
  MutexLock opening(&open_mu_);
  if (auto open = FindAgain(feed->id)) return open;
  MIXFEED_RETURN_IF_ERROR(Build(feed.get()));
  MIXFEED_RETURN_IF_ERROR(MakeRoom());
  MIXFEED_RETURN_IF_ERROR(
      parts_.store->Put({.feed_id = feed->id, .run = name, .spec = SpecToProto(feed->spec)}));
  Add(feed);
  spdlog::info("feed {} of run \"{}\" is open: {} on {}, batch {}", feed->id, name,
               feed->spec.recipe.preset, feed->spec.dataset, feed->spec.batch);
  return feed;
}

absl::StatusOr<std::shared_ptr<OpenedFeed>> FeedRegistry::Resolve(const v1::FeedSpec& spec,
                                                                  const std::string& run) const {
  auto feed = std::make_shared<OpenedFeed>();
  MIXFEED_ASSIGN_OR_RETURN(feed->spec, SpecFromProto(spec));
  MIXFEED_ASSIGN_OR_RETURN(feed->dataset, parts_.datasets->Find(feed->spec.dataset));
  feed->spec.dataset = feed->dataset->name;
  feed->run = run;
  MIXFEED_ASSIGN_OR_RETURN(const auto model, FeatureModel(feed->spec.recipe));
  feed->id = FeedId(feed->spec, feed->dataset->fingerprint, run, FingerprintModel(model.get()));
  return feed;
}

absl::Status FeedRegistry::CheckRemote(const GuessSpec& guess) const {
  const std::vector<std::string> names = ModelsOf(guess);
  const auto is_remote = [&](const std::string& name) { return parts_.models->IsRemote(name); };
  if (std::none_of(names.begin(), names.end(), is_remote)) return absl::OkStatus();
  if (guess.batch_statistics) {
    return absl::FailedPreconditionError(
        "recipe.guess.batch_statistics is true, but the model is run by another server, which "
        "cannot be asked for them; allowed: false (`--statistics running`)");
  }
  if (!NeedsEveryUpdate(guess)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("recipe.guess.policy is ", NameOf(guess.policy),
                   ", which needs the weights of every update, but the model is run by another "
                   "server, to which nobody pushes; allowed: newest, pinned (`--policy newest`)"));
}

absl::Status FeedRegistry::CheckPolicy(const Recipe& recipe) const {
  if (!recipe.guesses()) return absl::OkStatus();
  MIXFEED_RETURN_IF_ERROR(CheckRemote(recipe.guess));
  if (!NeedsEveryUpdate(recipe.guess)) return absl::OkStatus();
  const int64_t kept = parts_.models->limits().versions - 1;
  if (recipe.guess.policy == WeightsPolicy::kDelayed && recipe.guess.delay >= kept) {
    return FieldError("recipe.guess.delay", absl::StrCat(recipe.guess.delay),
                      absl::StrCat("below ", kept,
                                   ", the versions that the server keeps "
                                   "(--keep-versions)"));
  }
  for (const std::string& name : ModelsOf(recipe.guess)) {
    const uint32_t push_every = parts_.models->PushEvery(name);
    if (push_every <= 1) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("recipe.guess.policy is ", NameOf(recipe.guess.policy),
                     ", which needs the weights of every update, but the trainer of model \"", name,
                     "\" pushes every ", push_every, " updates; allowed: newest, pinned"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<GuessModel>> FeedRegistry::FeatureModel(const Recipe& recipe) const {
  const PartnerSpec& partner = recipe.mix.partner;
  if (!recipe.mix.enabled || partner.neighbours == 0 || partner.features.empty()) return nullptr;
  // The initial weights, so that a feed's partners stay while a trainer pushes others.
  return parts_.models->Find(partner.features, {WeightsWish::Kind::kUpdate, 0},
                             "recipe.mix.partner.features");
}

absl::StatusOr<std::shared_ptr<const NeighbourIndex>> FeedRegistry::FindNeighbours(
    const OpenedFeed& feed, const Split& split) const {
  const Recipe& recipe = feed.spec.recipe;
  if (!recipe.mix.enabled || recipe.mix.partner.neighbours == 0) return nullptr;
  MIXFEED_ASSIGN_OR_RETURN(const std::shared_ptr<GuessModel> model, FeatureModel(recipe));
  if (model != nullptr && !(model->info().input == feed.dataset->shape)) {
    return absl::FailedPreconditionError(
        absl::StrCat("recipe.mix.partner.features is \"", recipe.mix.partner.features,
                     "\", a model for images of another shape than the dataset's"));
  }
  return parts_.neighbours->Find({.dataset = feed.dataset,
                                  .samples = split.labelled,
                                  .partner = recipe.mix.partner,
                                  .model = model});
}

absl::Status FeedRegistry::AwaitNeighbours(const OpenedFeed& feed) const {
  if (!feed.spec.recipe.mix.enabled || feed.spec.recipe.mix.partner.neighbours == 0) {
    return absl::OkStatus();
  }
  MIXFEED_ASSIGN_OR_RETURN(
      const Split split,
      MakeSplit(feed.dataset->train.labels, feed.dataset->num_classes(), feed.spec.split));
  return FindNeighbours(feed, split).status();
}

absl::Status FeedRegistry::Build(OpenedFeed* feed) const {
  const Recipe& recipe = feed->spec.recipe;
  const Dataset& dataset = *feed->dataset;
  BatchMakerOptions options;
  options.spec = feed->spec;
  options.feed_id = feed->id;
  options.run = feed->run;
  options.dataset = feed->dataset;
  MIXFEED_ASSIGN_OR_RETURN(
      options.split, MakeSplit(dataset.train.labels, dataset.num_classes(), feed->spec.split));
  feed->sizes = {options.split.labelled.size(), options.split.unlabelled.size(),
                 options.split.validation.size()};
  MIXFEED_ASSIGN_OR_RETURN(
      feed->pool, parts_.datasets->FindPool(feed->dataset, PartitionOf(recipe), recipe.view));
  options.pool = feed->pool;
  MIXFEED_ASSIGN_OR_RETURN(options.neighbours, FindNeighbours(*feed, options.split));
  options.renderer = parts_.renderer;
  options.slots = parts_.slots;
  if (recipe.guesses()) BuildGuesser(feed, &options);
  MIXFEED_ASSIGN_OR_RETURN(feed->maker, BatchMaker::Create(std::move(options)));
  return CheckBatchFits(*feed->maker, kSmallestFormat, Share{}, parts_.slots->max_bytes());
}

void FeedRegistry::BuildGuesser(OpenedFeed* feed, BatchMakerOptions* options) const {
  const GuessSpec& guess = feed->spec.recipe.guess;
  const auto find_model = [models = parts_.models](const std::string& name, const WeightsWish& wish)
      -> absl::StatusOr<std::shared_ptr<GuessModel>> {
    MIXFEED_ASSIGN_OR_RETURN(std::shared_ptr<GuessModel> model, models->Find(name, wish));
    MIXFEED_RETURN_IF_ERROR(model->Ready());
    return model;
  };
  const auto warn = [id = feed->id, run = feed->run](const std::string& what) {
    spdlog::warn("feed {} of run \"{}\": {}", id, run, what);
  };
  options->guesser = std::make_unique<Guesser>(guess, find_model, parts_.journal);
  feed->guess_stats =
      std::make_shared<GuessStats>(PriorOf(*feed->dataset, options->split.labelled), warn);
  options->guess_stats = feed->guess_stats;
  feed->validator = std::make_shared<GuessValidator>(
      GuessValidator::Parts{.dataset = feed->dataset,
                            .pool = feed->pool,
                            .renderer = parts_.renderer,
                            .find_model = find_model,
                            .stats = feed->guess_stats,
                            .batch_statistics = guess.batch_statistics,
                            .rows_of_pass = static_cast<size_t>(feed->spec.unlabelled_rows()),
                            .ema = guess.ema},
      options->split.validation);
}

absl::Status FeedRegistry::MakeRoom() {
  const std::vector<std::shared_ptr<const OpenedFeed>> feeds = List();
  size_t open = feeds.size();
  for (const std::shared_ptr<const OpenedFeed>& feed : feeds) {
    if (open < parts_.max_feeds) return absl::OkStatus();
    if (parts_.engine->ConsumersOf(feed->id) > 0) continue;
    spdlog::warn("feed {} of run \"{}\" is closed: more than {} feeds would be open (--max-feeds)",
                 feed->id, feed->run, parts_.max_feeds);
    MIXFEED_RETURN_IF_ERROR(Drop(feed->id));
    --open;
  }
  if (open < parts_.max_feeds) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat(open, " feeds are open (--max-feeds) and all have consumers; close one"));
}

absl::StatusOr<std::shared_ptr<const OpenedFeed>> FeedRegistry::Fork(const std::string& id,
                                                                     int64_t step,
                                                                     const std::string& run,
                                                                     const std::string& model) {
  MIXFEED_RETURN_IF_ERROR(CheckName("run", run));
  MIXFEED_ASSIGN_OR_RETURN(const std::shared_ptr<const OpenedFeed> feed, Find(id));
  v1::FeedSpec spec = SpecToProto(feed->spec);
  if (!model.empty()) {
    if (!feed->spec.recipe.guesses()) {
      return FieldError("model", absl::StrCat("\"", model, "\""),
                        "empty for a recipe that does not guess");
    }
    spec.mutable_recipe()->mutable_guess()->set_model(model);
  }
  MIXFEED_ASSIGN_OR_RETURN(const std::shared_ptr<OpenedFeed> forked, Resolve(spec, run));
  if (forked->id == id) {
    return FieldError("run", absl::StrCat("\"", run, "\""), "another than the feed's own");
  }
  const absl::Status status = parts_.journal->Fork(id, step, forked->id);
  if (absl::IsAlreadyExists(status)) {
    return absl::AlreadyExistsError(
        absl::StrCat("run is \"", run, "\" and step ", step, ", but ", status.message(),
                     "; allowed: a run without guesses, or the same fork again"));
  }
  MIXFEED_RETURN_IF_ERROR(status);
  return Open(spec, run);
}

absl::Status FeedRegistry::Close(const std::string& id) {
  MutexLock opening(&open_mu_);
  return Drop(id);
}

absl::Status FeedRegistry::Drop(const std::string& id) {
  MIXFEED_RETURN_IF_ERROR(Find(id).status());
  MIXFEED_RETURN_IF_ERROR(parts_.store->Remove(id));
  {
    MutexLock lock(&mu_);
    std::erase_if(feeds_, HasId(id));
    only_restored_.erase(id);
  }
  return parts_.engine->RemoveFeed(id);
}

void FeedRegistry::Add(std::shared_ptr<const OpenedFeed> feed) {
  parts_.engine->AddFeed(feed->id, feed->maker);
  MutexLock lock(&mu_);
  feeds_.push_back(std::move(feed));
}

absl::StatusOr<std::shared_ptr<const OpenedFeed>> FeedRegistry::Find(const std::string& id) const {
  MutexLock lock(&mu_);
  const auto found = std::find_if(feeds_.begin(), feeds_.end(), HasId(id));
  if (found == feeds_.end()) return NotOpen(id);
  return *found;
}

std::shared_ptr<const OpenedFeed> FeedRegistry::FindAgain(const std::string& id) {
  MutexLock lock(&mu_);
  only_restored_.erase(id);
  const auto found = std::find_if(feeds_.begin(), feeds_.end(), HasId(id));
  return found == feeds_.end() ? nullptr : *found;
}

bool FeedRegistry::IsUsed(const OpenedFeed& feed) const {
  {
    MutexLock lock(&mu_);
    if (only_restored_.count(feed.id) == 0) return true;
  }
  return parts_.engine->ConsumersOf(feed.id) > 0 || parts_.engine->TrafficOf(feed.id).served > 0;
}

absl::StatusOr<std::vector<std::string>> FeedRegistry::ModelNames(const OpenedFeed& feed) const {
  return mixfeed::ModelNames(feed.spec.recipe.guess, feed.id, parts_.journal);
}

std::vector<std::shared_ptr<const OpenedFeed>> FeedRegistry::List() const {
  MutexLock lock(&mu_);
  return {feeds_.begin(), feeds_.end()};
}

}  // namespace mixfeed
