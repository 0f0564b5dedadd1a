// What a registry reads back from its store: its own from before, and what others that share it put
// there.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "augment/base/status_macros.h"
#include "augment/guess/not_yet.h"
#include "augment/weights/state_dict.h"
#include "server/core/model_registry.h"

namespace mixfeed {

absl::Status ModelRegistry::ReloadPushed(const std::vector<StoredWeights>& pushed,
                                         Entry* entry) const {
  if (!pushed.empty()) entry->last_version = pushed.back().version;
  if (entry->lineage == nullptr) return absl::OkStatus();
  for (const StoredWeights& stored : pushed) {
    std::optional<ModelVersion> version = VersionOf(stored, entry->registered.ema_decay() > 0);
    if (!version.has_value()) continue;
    // Where the limits are lower than they were.
    for (const ModelVersion& old : entry->lineage->Add(*std::move(version))) {
      store_->RemoveWeights(StoredOf(entry->registered.name(), old));
    }
  }
  // So that a damaged file shows now, and not in the middle of a step.
  while (entry->lineage->newest().pushed.loaded == nullptr) {
    ModelVersion newest = entry->lineage->newest();
    const absl::Status status = Load(*entry->lineage->initial().pushed.loaded, &newest);
    if (IsNotYet(status)) return status;
    if (status.ok()) {
      entry->lineage->SetLoaded(newest.version, /*ema=*/false, newest.pushed.loaded);
      if (newest.ema) {
        entry->lineage->SetLoaded(newest.version, /*ema=*/true, newest.ema->loaded);
      }
    } else {
      spdlog::warn("model \"{}\": the weights of update {}, version {}, no longer load: {}",
                   entry->registered.name(), newest.update, newest.version,
                   std::string(status.message()));
      entry->lineage->Drop(newest.version);
    }
  }
  return absl::OkStatus();
}

absl::Status ModelRegistry::Load(const GuessModel& initial, ModelVersion* version) const {
  MIXFEED_ASSIGN_OR_RETURN(version->pushed.loaded, LoadVersion(initial, *version, /*ema=*/false));
  if (!version->ema) return absl::OkStatus();
  MIXFEED_ASSIGN_OR_RETURN(version->ema->loaded, LoadVersion(initial, *version, /*ema=*/true));
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<GuessModel>> ModelRegistry::LoadVersion(const GuessModel& initial,
                                                                       const ModelVersion& version,
                                                                       bool ema) const {
  MIXFEED_ASSIGN_OR_RETURN(std::string bytes,
                           store_->ReadWeights(StoredOf(initial.info().name, version), ema));
  MIXFEED_ASSIGN_OR_RETURN(const StateDict weights, StateDict::Parse(std::move(bytes)));
  return initial.WithWeights(weights, /*whole=*/true, static_cast<int64_t>(version.version),
                             version.update);
}

absl::Status ModelRegistry::Refresh() {
  {
    MutexLock storing(&store_mu_);
    std::map<std::string, uint64_t> known;
    {
      MutexLock lock(&mu_);
      for (const auto& [name, entry] : entries_) known[name] = entry.registered.version();
    }
    MIXFEED_ASSIGN_OR_RETURN(std::vector<StoredModel> models, store_->ReadAll(known));
    for (StoredModel& model : models) {
      const std::string name = model.header.name();
      const auto before = known.find(name);
      if (before != known.end() && before->second == model.version) {
        MIXFEED_RETURN_IF_ERROR(AddPushed(name, model.pushed));
        continue;
      }
      std::vector<StoredWeights> pushed;
      pushed.swap(model.pushed);
      MIXFEED_RETURN_IF_ERROR(Reload(std::move(model)));
      MIXFEED_RETURN_IF_ERROR(AddPushed(name, pushed));
    }
  }
  changed_();
  return absl::OkStatus();
}

absl::Status ModelRegistry::AddPushed(const std::string& name,
                                      const std::vector<StoredWeights>& pushed) {
  std::vector<ModelVersion> news;
  std::shared_ptr<GuessModel> initial;
  uint64_t last_version = 0;
  {
    MutexLock lock(&mu_);
    Entry& entry = entries_[name];
    for (const StoredWeights& weights : pushed) {
      if (weights.version <= entry.last_version) continue;
      last_version = weights.version;
      std::optional<ModelVersion> version = VersionOf(weights, entry.registered.ema_decay() > 0);
      if (version.has_value()) news.push_back(*std::move(version));
    }
    if (entry.lineage == nullptr || news.empty()) {
      entry.last_version = std::max(entry.last_version, last_version);
      return absl::OkStatus();
    }
    initial = entry.lineage->initial().pushed.loaded;
  }
  // The newest that can be is loaded at once, as a push here would; without mu_, which guesses wait
  // for.
  while (!news.empty() && news.back().pushed.loaded == nullptr) {
    const absl::Status loaded = Load(*initial, &news.back());
    if (IsNotYet(loaded)) return loaded;
    if (loaded.ok()) continue;
    spdlog::warn("model \"{}\": the weights of update {}, version {}, do not load here: {}", name,
                 news.back().update, news.back().version, std::string(loaded.message()));
    news.pop_back();
  }
  MutexLock lock(&mu_);
  Entry& entry = entries_[name];
  for (ModelVersion& version : news) entry.lineage->Add(std::move(version));
  entry.last_version = last_version;
  return absl::OkStatus();
}

}  // namespace mixfeed
