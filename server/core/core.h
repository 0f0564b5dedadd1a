#ifndef MIXFEED_SERVER_CORE_CORE_H_
#define MIXFEED_SERVER_CORE_CORE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "augment/base/thread_pool.h"
#include "augment/batch/slot_pool.h"
#include "augment/guess/journal.h"
#include "augment/guess/torch_runtime.h"
#include "server/core/dataset_store.h"
#include "server/core/device.h"
#include "server/core/feed_registry.h"
#include "server/core/feed_store.h"
#include "server/core/model_registry.h"
#include "server/core/neighbour_store.h"
#include "server/core/state_dir.h"
#include "server/engine/feed_engine.h"
#include "server/kserve/kserve_runtime.h"
#include "server/options.h"
#include "server/store/redis_client.h"
#include "server/store/redis_watch.h"

namespace mixfeed {

// The parts of a server that know no transport, started in order and stopped in reverse. What calls
// do with them stands in feed_calls.h, model_calls.h and inspect_calls.h. Thread safe.
class Core {
 public:
  // Starts the device, reads the datasets, restores models and feeds from the state directory and
  // registers options.models. `encode` turns batches into frames; a frame must hold on to its batch
  // for as long as the transport uses the batch's memory, which may be longer than the core lives.
  static absl::StatusOr<std::unique_ptr<Core>> Start(const ServerOptions& options,
                                                     const EncodeFrame& encode);
  ~Core();

  const ServerOptions& options() const { return options_; }
  const std::string& device() const { return memory_->device.description; }
  Renderer* renderer() const { return memory_->device.renderer.get(); }
  const SlotPool& slots() const { return *memory_->slots; }
  std::string environment() const { return torch_->environment(); }
  int64_t live_frames() const { return memory_->live_frames; }
  DatasetStore* datasets() const { return datasets_.get(); }
  ModelRegistry* models() const { return models_.get(); }
  NeighbourStore* neighbours() const { return neighbours_.get(); }
  FeedRegistry* feeds() const { return feeds_.get(); }
  FeedEngine* engine() const { return engine_.get(); }

 private:
  // What a batch's memory needs to live. Shared with every frame, since the transport may let go of
  // the last one after everything else is gone.
  struct Memory {
    std::unique_ptr<ThreadPool> threads;
    Device device;
    std::unique_ptr<SlotPool> slots;
    std::atomic<int64_t> live_frames = 0;
  };
  struct Held;

  explicit Core(const ServerOptions& options) : options_(options) {}
  absl::Status Begin(const EncodeFrame& encode);
  std::string CacheDir() const;
  absl::Status OpenMemory();
  absl::Status ConnectStore();
  absl::StatusOr<std::unique_ptr<ModelStore>> OpenModelStore() const;
  absl::StatusOr<std::unique_ptr<Journal>> OpenJournal() const;
  absl::Status OpenModels();
  absl::Status OpenFeeds(const EncodeFrame& encode);
  // From here on what other servers store is taken over.
  absl::Status WatchStore();
  EncodeFrame Holding(const EncodeFrame& encode) const;

  const ServerOptions options_;
  std::shared_ptr<Memory> memory_;
  std::unique_ptr<StateDir> state_dir_;
  std::unique_ptr<RedisClient> redis_;  // null without --store
  std::unique_ptr<DatasetStore> datasets_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<TorchRuntime> torch_;
  std::unique_ptr<KserveRuntime> kserve_;
  std::unique_ptr<ModelRegistry> models_;
  std::unique_ptr<FeedStore> feed_store_;
  std::unique_ptr<FeedEngine> engine_;
  std::unique_ptr<NeighbourStore> neighbours_;
  std::unique_ptr<FeedRegistry> feeds_;
  std::unique_ptr<RedisWatch> watch_;  // calls the others
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_CORE_H_
