#include "server/core/feed_registry.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/guess/guesser.h"
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

absl::Status NotOpen(const std::string& id) {
  return absl::NotFoundError(
      absl::StrCat("feed_id is \"", id, "\"; no such feed is open, OpenFeed opens it again"));
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
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const OpenedFeed>> FeedRegistry::Open(const v1::FeedSpec& spec,
                                                                     const std::string& run) {
  const std::string name = run.empty() ? RandomName() : run;
  MIXFEED_RETURN_IF_ERROR(CheckName("run", name));
  MIXFEED_ASSIGN_OR_RETURN(const std::shared_ptr<OpenedFeed> feed, Resolve(spec, name));
  if (auto open = Find(feed->id); open.ok()) return open;
  // Before the lock, which whoever opens or closes another feed waits for.
  MIXFEED_RETURN_IF_ERROR(AwaitNeighbours(*feed));
  MutexLock opening(&open_mu_);
  if (auto open = Find(feed->id); open.ok()) return open;
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

absl::StatusOr<std::shared_ptr<GuessModel>> FeedRegistry::FeatureModel(const Recipe& recipe) const {
  const PartnerSpec& partner = recipe.mix.partner;
  if (!recipe.mix.enabled || partner.neighbours == 0 || partner.features.empty()) return nullptr;
  return parts_.find_model(partner.features);
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
  if (recipe.guesses()) {
    options.guesser = std::make_unique<Guesser>(recipe.guess, parts_.find_model, parts_.journal);
  }
  MIXFEED_ASSIGN_OR_RETURN(feed->maker, BatchMaker::Create(std::move(options)));
  return CheckBatchFits(*feed->maker, kSmallestFormat, Share{}, parts_.slots->max_bytes());
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

std::vector<std::shared_ptr<const OpenedFeed>> FeedRegistry::List() const {
  MutexLock lock(&mu_);
  return {feeds_.begin(), feeds_.end()};
}

}  // namespace mixfeed
