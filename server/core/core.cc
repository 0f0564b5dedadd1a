#include "server/core/core.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <system_error>
#include <thread>
#include <utility>

#include "augment/base/status_macros.h"
#include "augment/guess/model_trial.h"
#include "server/core/model_calls.h"
#include "server/store/redis_journal.h"
#include "server/store/redis_model_store.h"

namespace mixfeed {
namespace {

// While two batches are in the model, which runs two passes at once, a third one's views are
// rendered.
constexpr int kGuessWorkers = 3;
constexpr char kTryModelProgram[] = "mixfeed-try-model";

int OrCores(int threads) {
  if (threads > 0) return threads;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::string TryModelProgram(const ServerOptions& options) {
  if (!options.try_model_program.empty()) return options.try_model_program;
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / kTryModelProgram).string();
}

}  // namespace

// A batch that the transport sends, and what its memory needs.
struct Core::Held {
  Held(std::shared_ptr<Memory> used, std::shared_ptr<const Batch> sent)
      : memory(std::move(used)), batch(std::move(sent)) {
    ++memory->live_frames;
  }
  ~Held() {
    batch.reset();
    --memory->live_frames;
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  const std::shared_ptr<Memory> memory;
  std::shared_ptr<const Batch> batch;
};

absl::StatusOr<std::unique_ptr<Core>> Core::Start(const ServerOptions& options,
                                                  const EncodeFrame& encode) {
  std::unique_ptr<Core> core(new Core(options));
  MIXFEED_RETURN_IF_ERROR(core->Begin(encode));
  return core;
}

Core::~Core() {
  if (kserve_) kserve_->SetReturned([] {});
  if (engine_) engine_->Shutdown(0);
}

absl::Status Core::Begin(const EncodeFrame& encode) {
  MIXFEED_RETURN_IF_ERROR(OpenMemory());
  MIXFEED_ASSIGN_OR_RETURN(state_dir_, StateDir::Open(options_.state_dir));
  if (state_dir_->temporary()) {
    spdlog::warn("no --state-dir: {} are lost when the server ends",
                 options_.store.empty() ? "feeds, models and guesses" : "open feeds");
  }
  MIXFEED_RETURN_IF_ERROR(ConnectStore());
  MIXFEED_ASSIGN_OR_RETURN(datasets_,
                           DatasetStore::Open({.sources = options_.data,
                                               .cache_dir = CacheDir(),
                                               .max_pool_bytes = options_.max_pool_bytes},
                                              renderer(), memory_->threads.get()));
  MIXFEED_RETURN_IF_ERROR(OpenModels());
  MIXFEED_RETURN_IF_ERROR(OpenFeeds(encode));
  return WatchStore();
}

absl::Status Core::ConnectStore() {
  if (options_.store.empty()) return absl::OkStatus();
  RedisOptions redis;
  MIXFEED_ASSIGN_OR_RETURN(redis.address, ParseRedisUrl(options_.store));
  MIXFEED_ASSIGN_OR_RETURN(redis_, RedisClient::Connect(redis));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ModelStore>> Core::OpenModelStore() const {
  if (redis_ == nullptr) return ModelStore::Open(state_dir_->File("models"));
  return MakeRedisModelStore(
      {.pushed = options_.keep_versions, .bytes = options_.keep_version_bytes}, redis_.get());
}

absl::StatusOr<std::unique_ptr<Journal>> Core::OpenJournal() const {
  if (redis_ == nullptr) {
    MIXFEED_ASSIGN_OR_RETURN(
        RecoveredJournal journal,
        Journal::OpenOrRecover({.path = state_dir_->File("journal.sqlite"),
                                .max_steps_per_feed = options_.journal_max_steps,
                                .max_bytes = options_.journal_max_bytes}));
    if (!journal.notice.empty()) {
      spdlog::error("the journal is damaged: {}", journal.notice);
    }
    return std::move(journal.journal);
  }
  return RedisJournal::Create(
      {.max_steps_per_feed = options_.journal_max_steps, .max_bytes = options_.journal_max_bytes},
      redis_.get());
}

absl::Status Core::WatchStore() {
  if (redis_ == nullptr) return absl::OkStatus();
  MIXFEED_ASSIGN_OR_RETURN(watch_, RedisWatch::Start(redis_.get(), [this] {
                             const absl::Status status = models_->Refresh();
                             if (status.ok()) return;
                             spdlog::warn("what other servers stored is not taken over: {}",
                                          std::string(status.message()));
                             // What waits for nothing but Redis goes on.
                             engine_->WeightsArrived();
                           }));
  return absl::OkStatus();
}

std::string Core::CacheDir() const {
  return options_.cache_dir.empty() ? state_dir_->File("cache") : options_.cache_dir;
}

absl::Status Core::OpenMemory() {
  memory_ = std::make_shared<Memory>();
  memory_->threads = std::make_unique<ThreadPool>(OrCores(options_.threads));
  MIXFEED_ASSIGN_OR_RETURN(const DeviceName name, ParseDeviceName(options_.device));
  MIXFEED_ASSIGN_OR_RETURN(memory_->device, OpenDevice(name, memory_->threads.get()));
  memory_->slots = std::make_unique<SlotPool>(renderer(), options_.max_slot_bytes);
  return absl::OkStatus();
}

absl::Status Core::OpenModels() {
  const int threads = options_.guess_threads > 0 ? options_.guess_threads : options_.threads;
  torch_ = std::make_unique<TorchRuntime>(OrCores(threads));
  kserve_ = std::make_unique<KserveRuntime>();
  MIXFEED_ASSIGN_OR_RETURN(std::unique_ptr<ModelStore> store, OpenModelStore());
  const auto try_model = [kserve = kserve_.get(), program = TryModelProgram(options_),
                          deadline_ms = options_.trial_deadline_ms](const ModelSource& source,
                                                                    std::stop_token stop) {
    if (source.info.kind == kKserveKind) return kserve->Try(source.info, source.address, stop);
    return TryModelInChild(
        source, {.program = program, .deadline_ms = deadline_ms, .stop = std::move(stop)});
  };
  const auto load = [kserve = kserve_.get(), torch = torch_.get()](const ModelSource& source) {
    return source.info.kind == kKserveKind ? kserve->Load(source.info, source.address)
                                           : torch->Load(source);
  };
  MIXFEED_ASSIGN_OR_RETURN(
      models_,
      ModelRegistry::Open(std::move(store), {.try_model = try_model,
                                             .load = load,
                                             .limits = {.versions = options_.keep_versions + 1,
                                                        .bytes = options_.keep_version_bytes}}));
  for (const std::string& text : options_.models) {
    MIXFEED_RETURN_IF_ERROR(RegisterAtStart(text, *datasets_, models_.get()));
  }
  return absl::OkStatus();
}

absl::Status Core::OpenFeeds(const EncodeFrame& encode) {
  MIXFEED_ASSIGN_OR_RETURN(journal_, OpenJournal());
  MIXFEED_ASSIGN_OR_RETURN(feed_store_, FeedStore::Open(state_dir_->File("feeds.sqlite")));
  std::function<absl::Status()> outage;
  if (redis_ != nullptr) outage = [redis = redis_.get()] { return redis->Outage(); };
  MIXFEED_ASSIGN_OR_RETURN(
      engine_, FeedEngine::Start({.render_workers = memory_->threads->threads(),
                                  .guess_workers = kGuessWorkers,
                                  .max_credits = options_.max_credits,
                                  .default_prefetch = std::min(EngineOptions().default_prefetch,
                                                               options_.max_prefetch),
                                  .max_prefetch = options_.max_prefetch,
                                  .idle_limit_ms = options_.idle_limit_ms,
                                  .weights_wait_ms = options_.weights_wait_ms,
                                  .outage = std::move(outage),
                                  .stopping = [kserve = kserve_.get()] { kserve->Stop(); }},
                                 memory_->slots.get(), Holding(encode)));
  models_->SetChanged([engine = engine_.get()] { engine->WeightsArrived(); });
  kserve_->SetReturned([engine = engine_.get()] { engine->WeightsArrived(); });
  neighbours_ = std::make_unique<NeighbourStore>(
      NeighbourStore::Options{.folder = (std::filesystem::path(CacheDir()) / "neighbours").string(),
                              .threads = memory_->threads.get()});
  feeds_ = std::make_unique<FeedRegistry>(
      FeedRegistry::Parts{.datasets = datasets_.get(),
                          .neighbours = neighbours_.get(),
                          .renderer = renderer(),
                          .slots = memory_->slots.get(),
                          .journal = journal_.get(),
                          .engine = engine_.get(),
                          .store = feed_store_.get(),
                          .models = models_.get(),
                          .max_feeds = static_cast<size_t>(options_.max_feeds)});
  return feeds_->Restore();
}

EncodeFrame Core::Holding(const EncodeFrame& encode) const {
  return
      [memory = memory_, encode](const std::string& feed_id, std::shared_ptr<const Batch> batch) {
        const Batch* const sent = batch.get();
        auto held = std::make_shared<Held>(memory, std::move(batch));
        return encode(feed_id, std::shared_ptr<const Batch>(std::move(held), sent));
      };
}

}  // namespace mixfeed
