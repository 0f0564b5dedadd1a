#ifndef MIXFEED_SERVER_CORE_FEED_REGISTRY_H_
#define MIXFEED_SERVER_CORE_FEED_REGISTRY_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/base/mutex.h"
#include "augment/batch/batch_maker.h"
#include "augment/recipe/feed_spec.h"
#include "mixfeed/v1/spec.pb.h"
#include "server/core/dataset_store.h"
#include "server/core/feed_store.h"
#include "server/core/guess_validator.h"
#include "server/core/model_registry.h"
#include "server/core/neighbour_store.h"
#include "server/engine/feed_engine.h"

namespace mixfeed {

// Images in the pools of a split.
struct PoolSizes {
  size_t labelled = 0;
  size_t unlabelled = 0;
  size_t validation = 0;
};

// A feed that was opened. Immutable from then on, but for what is counted of its guesses.
struct OpenedFeed {
  std::string id;
  std::string run;
  FeedSpec spec;
  std::shared_ptr<const Dataset> dataset;
  std::shared_ptr<const ResidentPool> pool;
  PoolSizes sizes;
  std::shared_ptr<const BatchMaker> maker;
  // Of its guesses; null for a feed that does not guess.
  std::shared_ptr<GuessStats> guess_stats = nullptr;
  std::shared_ptr<GuessValidator> validator = nullptr;
};

// The open feeds of a server: opens and closes them in the engine and in the store. Thread safe;
// Open may take as long as padding a dataset does. Bounded: beyond max_feeds the feed opened
// longest ago that has no consumer is closed; with a consumer on each, Open gets ResourceExhausted.
class FeedRegistry {
 public:
  // All must outlive the registry.
  struct Parts {
    DatasetStore* datasets = nullptr;
    NeighbourStore* neighbours = nullptr;
    Renderer* renderer = nullptr;
    SlotPool* slots = nullptr;
    Journal* journal = nullptr;
    FeedEngine* engine = nullptr;
    FeedStore* store = nullptr;
    const ModelRegistry* models = nullptr;
    size_t max_feeds = 0;
  };
  explicit FeedRegistry(const Parts& parts) : parts_(parts) {}

  // Opens what the store holds, the ones opened last where they are more than max_feeds; a feed
  // whose dataset is gone or has changed is skipped with a warning in the log, and stays in the
  // store.
  absl::Status Restore();

  // An empty run means a new one with a random name. Errors: InvalidArgument (spec, run, a batch
  // that fits into no message), NotFound (dataset), FailedPrecondition (an empty pool, no model for
  // features), Unavailable (its neighbour index is being built), ResourceExhausted.
  absl::StatusOr<std::shared_ptr<const OpenedFeed>> Open(const v1::FeedSpec& spec,
                                                         const std::string& run);
  // Opens the feed of the same spec in the run `run`, with the guesses of the steps below `step`
  // (Journal::Fork) and, where it is not empty, another model for those from there on. Errors:
  // NotFound (feed), InvalidArgument (run, model), AlreadyExists, and Open's.
  absl::StatusOr<std::shared_ptr<const OpenedFeed>> Fork(const std::string& id, int64_t step,
                                                         const std::string& run,
                                                         const std::string& model);
  absl::Status Close(const std::string& id);

  absl::StatusOr<std::shared_ptr<const OpenedFeed>> Find(const std::string& id) const;
  std::vector<std::shared_ptr<const OpenedFeed>> List() const;

  // Whether anybody has opened the feed, or taken a batch of it, since the server started.
  bool IsUsed(const OpenedFeed& feed) const;

  // The models that guess for the feed (guesser.h).
  absl::StatusOr<std::vector<std::string>> ModelNames(const OpenedFeed& feed) const;

 private:
  // What is known of a feed before anything is made for it: spec, dataset, run and id.
  absl::StatusOr<std::shared_ptr<OpenedFeed>> Resolve(const v1::FeedSpec& spec,
                                                      const std::string& run) const;
  // Whether a model that another server runs can guess as asked; OK for other models.
  absl::Status CheckRemote(const GuessSpec& guess) const;
  // Whether the model, its trainer's pushes and what is kept of them can meet the recipe's policy.
  absl::Status CheckPolicy(const Recipe& recipe) const;
  // Makes the rest: pool and maker.
  absl::Status Build(OpenedFeed* feed) const;
  // Makes the guesser, and what looks at its guesses.
  void BuildGuesser(OpenedFeed* feed, BatchMakerOptions* options) const;
  // The model in whose features the recipe measures distance; null: none.
  absl::StatusOr<std::shared_ptr<GuessModel>> FeatureModel(const Recipe& recipe) const;
  absl::StatusOr<std::shared_ptr<const NeighbourIndex>> FindNeighbours(const OpenedFeed& feed,
                                                                       const Split& split) const;
  // Waits for the index that the feed needs, as FindNeighbours does.
  absl::Status AwaitNeighbours(const OpenedFeed& feed) const;
  absl::Status RestoreOne(const FeedStore::Record& record);
  absl::Status MakeRoom();
  absl::Status Drop(const std::string& id);
  void Add(std::shared_ptr<const OpenedFeed> feed);
  // Finds a feed that is opened again.
  std::shared_ptr<const OpenedFeed> FindAgain(const std::string& id);

  const Parts parts_;

  Mutex open_mu_;  // held while a feed is opened or closed, so that each is built once
  mutable Mutex mu_;
  std::deque<std::shared_ptr<const OpenedFeed>> feeds_ ABSL_GUARDED_BY(mu_);  // in order of opening
  std::set<std::string> only_restored_ ABSL_GUARDED_BY(mu_);  // of those, not opened since
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_FEED_REGISTRY_H_
