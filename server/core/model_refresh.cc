// What a registry takes over from others that share its store.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "augment/base/status_macros.h"
#include "augment/guess/not_yet.h"
#include "server/core/model_registry.h"

namespace mixfeed {

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
