#ifndef MIXFEED_SERVER_CORE_DATASET_STORE_H_
#define MIXFEED_SERVER_CORE_DATASET_STORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/base/mutex.h"
#include "augment/base/thread_pool.h"
#include "augment/pool/dataset.h"
#include "augment/recipe/recipe.h"
#include "augment/render/renderer.h"

namespace mixfeed {

// The datasets that a server holds, by name, and their padded pools. Thread safe.
//
// A pool is made once for each (dataset, partition, padding) and shared for as long as a feed
// uses it. Bounded: a pool that would take all of them together past max_pool_bytes is refused with
// ResourceExhausted.
class DatasetStore {
 public:
  struct Entry {
    std::string name;
    absl::Status status;                     // why it could not be read, or OK
    std::shared_ptr<const Dataset> dataset;  // null exactly when status is an error
  };

  struct Options {
    std::vector<std::string> sources;  // what --data says, one a dataset
    std::string cache_dir;             // of the generated dataset
    int64_t max_pool_bytes = 0;
  };

  // Reads all sources. One that cannot be read is kept with its error and logged; InvalidArgument
  // when a source is malformed or two have one name, FailedPrecondition when none can be read.
  // `renderer` and `threads` must outlive the store.
  static absl::StatusOr<std::unique_ptr<DatasetStore>> Open(const Options& options,
                                                            Renderer* renderer,
                                                            ThreadPool* threads);

  const std::vector<Entry>& entries() const { return entries_; }

  // An empty name means the only dataset that can be used. NotFound lists the names;
  // InvalidArgument: no name and several datasets; FailedPrecondition: it could not be read.
  absl::StatusOr<std::shared_ptr<const Dataset>> Find(const std::string& name) const;

  // One of the usable datasets, when all have the same shape and number of classes. InvalidArgument
  // when they differ.
  absl::StatusOr<std::shared_ptr<const Dataset>> AnyOfOneKind() const;

  absl::StatusOr<std::shared_ptr<const ResidentPool>> FindPool(
      const std::shared_ptr<const Dataset>& dataset, Partition partition, const ViewSpec& view);

 private:
  using PoolKey = std::tuple<const Dataset*, Partition, int, PadMode, PadFill>;
  struct PoolEntry {
    std::weak_ptr<const ResidentPool> pool;
    int64_t bytes = 0;
  };

  DatasetStore(std::vector<Entry> entries, int64_t max_pool_bytes, Renderer* renderer,
               ThreadPool* threads);
  std::string Names() const;
  std::vector<std::shared_ptr<const Dataset>> Usable() const;
  absl::Status MakeRoom(int64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::vector<Entry> entries_;
  const int64_t max_pool_bytes_;
  Renderer* const renderer_;
  ThreadPool* const threads_;

  Mutex mu_;
  std::map<PoolKey, PoolEntry> pools_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_DATASET_STORE_H_
