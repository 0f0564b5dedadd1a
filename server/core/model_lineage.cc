#include "server/core/model_lineage.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/guess/not_yet.h"

namespace mixfeed {
namespace {

using Kind = WeightsWish::Kind;

}  // namespace

ModelLineage::ModelLineage(std::string model, ModelVersion initial, const VersionLimits& limits)
    : model_(std::move(model)), limits_(limits) {
  versions_.push_back(std::move(initial));
}

absl::StatusOr<const ModelVersion*> ModelLineage::Find(const WeightsWish& wish) const {
  if (wish.kind == Kind::kNewest) return &newest();
  // Update 0 is the trainer's start: what it pushed as such, or the initial weights, whatever count
  // they were registered with.
  if (wish.kind == Kind::kUpdate && wish.number == 0) return &Before(1);
  if (wish.kind == Kind::kVersion) {
    for (const ModelVersion& version : versions_) {
      if (std::cmp_equal(version.version, wish.number)) return &version;
    }
    return Missing(wish);
  }
  if (wish.number == std::numeric_limits<int64_t>::max()) return Missing(wish);
  const ModelVersion& found = Before(wish.number + 1);
  if (found.update != wish.number) return Missing(wish);
  return &found;
}

const ModelVersion& ModelLineage::Before(int64_t update) const {
  // Where a trainer went back, what it pushed before from there on is of another course: above what
  // comes after it.
  for (auto version = versions_.rbegin(); version != versions_.rend(); ++version) {
    if (version->update < update) return *version;
  }
  return initial();
}

absl::Status ModelLineage::Missing(const WeightsWish& wish) const {
  const bool by_update = wish.kind == Kind::kUpdate;
  const char* const what = by_update ? "update" : "version";
  const auto number_of = [&](const ModelVersion& version) {
    return by_update ? version.update : static_cast<int64_t>(version.version);
  };
  const std::string wanted =
      absl::StrCat("the weights of ", what, " ", wish.number, " of model \"", model_, "\"");
  if (wish.number > number_of(newest())) {
    return NotYetError(absl::StrCat(wanted, " are not pushed yet; the newest are of update ",
                                    newest().update, ", version ", newest().version));
  }
  const ModelVersion& oldest = versions_.size() > 1 ? versions_[1] : initial();
  return absl::FailedPreconditionError(
      absl::StrCat(wanted, " were not pushed or are no longer kept; kept are the initial ones and ",
                   what, "s ", number_of(oldest), "..", number_of(newest()), " (--keep-versions)"));
}

std::vector<ModelVersion> ModelLineage::Add(ModelVersion version) {
  bytes_ += version.bytes();
  versions_.push_back(std::move(version));
  for (const bool ema : {true, false}) {
    if (ema && !versions_.back().ema) continue;
    KeptWeights& weights = versions_.back().weights(ema);
    Load(&weights, std::move(weights.loaded));
  }
  std::vector<ModelVersion> dropped;
  while (versions_.size() > 2 &&
         (std::cmp_greater(versions_.size(), limits_.versions) || bytes_ > limits_.bytes)) {
    bytes_ -= versions_[1].bytes();
    dropped.push_back(std::move(versions_[1]));
    versions_.erase(versions_.begin() + 1);
  }
  LimitLoaded();
  return dropped;
}

void ModelLineage::Drop(uint64_t version) {
  for (auto kept = versions_.begin() + 1; kept != versions_.end(); ++kept) {
    if (kept->version != version) continue;
    bytes_ -= kept->bytes();
    versions_.erase(kept);
    return;
  }
}

void ModelLineage::SetLoaded(uint64_t version, bool ema, std::shared_ptr<GuessModel> loaded) {
  for (ModelVersion& kept : versions_) {
    if (kept.version == version) Load(&kept.weights(ema), std::move(loaded));
  }
  LimitLoaded();
}

void ModelLineage::Load(KeptWeights* weights, std::shared_ptr<GuessModel> loaded) {
  weights->loaded = std::move(loaded);
  weights->loaded_at = ++loads_;
}

void ModelLineage::LimitLoaded() {
  int64_t bytes = 0;
  std::vector<KeptWeights*> old;
  for (size_t i = 1; i < versions_.size(); ++i) {
    for (const bool ema : {false, true}) {
      if (ema && !versions_[i].ema) continue;
      KeptWeights& weights = versions_[i].weights(ema);
      if (weights.loaded == nullptr) continue;
      bytes += weights.bytes;
      if (i + 1 < versions_.size()) old.push_back(&weights);
    }
  }
  std::sort(old.begin(), old.end(),
            [](const KeptWeights* a, const KeptWeights* b) { return a->loaded_at < b->loaded_at; });
  for (KeptWeights* const weights : old) {
    if (bytes <= limits_.loaded_bytes) return;
    bytes -= weights->bytes;
    weights->loaded = nullptr;
  }
}

}  // namespace mixfeed
