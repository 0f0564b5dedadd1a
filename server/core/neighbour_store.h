#ifndef MIXFEED_SERVER_CORE_NEIGHBOUR_STORE_H_
#define MIXFEED_SERVER_CORE_NEIGHBOUR_STORE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/base/mutex.h"
#include "augment/base/thread_pool.h"
#include "augment/guess/guess_model.h"
#include "augment/neighbour/neighbour_index.h"
#include "augment/pool/dataset.h"
#include "augment/recipe/recipe.h"
#include "server/core/task_pool.h"

namespace mixfeed {

// The neighbour indexes of a server. Each is built once, on a thread of its own, and kept on disk
// (neighbour_index.h); those asked for last are kept in memory too. Thread safe. Bounded: one is
// built at a time, and kMaxWaiting more wait; a further one gets ResourceExhausted; kMaxKept are
// kept in memory beside those in use.
class NeighbourStore {
 public:
  static constexpr size_t kMaxWaiting = 8;
  static constexpr size_t kMaxKept = 4;

  struct Options {
    std::string folder;             // of the files
    ThreadPool* threads = nullptr;  // outlives the store
    int64_t wait_ms = 5'000;        // how long Find waits for an index that is being built
  };
  explicit NeighbourStore(Options options);
  // Stops what is being built.
  ~NeighbourStore();
  NeighbourStore(const NeighbourStore&) = delete;
  NeighbourStore& operator=(const NeighbourStore&) = delete;

  // What an index is of: the images `samples` of the training partition, in their order.
  struct Wish {
    std::shared_ptr<const Dataset> dataset;
    std::vector<int32_t> samples;
    PartnerSpec partner;                // neighbours > 0
    std::shared_ptr<GuessModel> model;  // of partner.features; null: pixels
  };

  // Unavailable, with how far it is, while the index is being built: ask again. Errors of
  // BuildNeighbourIndex, of the model's features, ResourceExhausted.
  absl::StatusOr<std::shared_ptr<const NeighbourIndex>> Find(const Wish& wish);

  struct Build {
    std::string dataset;
    int64_t images = 0;
    int neighbours = 0;
    double done = 0;  // 0..1
  };
  // Those under way or waiting.
  std::vector<Build> Builds() const;

 private:
  struct Entry {
    Build build;
    bool finished = false;
    absl::Status status;
    std::shared_ptr<const NeighbourIndex> index;
  };
  using Entries = std::map<std::string, std::shared_ptr<Entry>>;

  absl::StatusOr<std::shared_ptr<Entry>> FindOrStart(const std::string& key, const Wish& wish);
  absl::Status Await(const std::shared_ptr<Entry>& entry);
  void Run(const std::string& key, const Wish& wish, const std::shared_ptr<Entry>& entry);
  absl::StatusOr<NeighbourIndex> Make(const Wish& wish, const std::shared_ptr<Entry>& entry);
  absl::StatusOr<std::vector<int16_t>> Features(const Wish& wish) const;

  const Options options_;
  std::stop_source stop_;

  mutable Mutex mu_;
  CondVar changed_;
  Entries entries_ ABSL_GUARDED_BY(mu_);               // under way or waiting, and kept
  std::deque<std::string> kept_ ABSL_GUARDED_BY(mu_);  // keys of the finished, oldest first

  TaskPool builder_{1, kMaxWaiting};  // last: its tasks use the members above
};

// A fingerprint of what a model's features depend on: 0 for none.
uint64_t FingerprintModel(const GuessModel* model);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_NEIGHBOUR_STORE_H_
