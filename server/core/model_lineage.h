#ifndef MIXFEED_SERVER_CORE_MODEL_LINEAGE_H_
#define MIXFEED_SERVER_CORE_MODEL_LINEAGE_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/guess/guess_model.h"
#include "augment/guess/guesser.h"

namespace mixfeed {

// How many versions of a model are kept. The initial one and the newest always are.
struct VersionLimits {
  int64_t versions = 257;                     // the initial one too; at least 2
  int64_t bytes = int64_t{4} << 30;           // of their files
  int64_t loaded_bytes = int64_t{256} << 20;  // of the weights of those that are ready to guess
};

// A file of weights, and the model that they make.
struct KeptWeights {
  std::string digest;                  // DigestOf the file's bytes
  int64_t bytes = 0;                   // of the file
  std::shared_ptr<GuessModel> loaded;  // null: in the file only
  int64_t loaded_at = 0;               // ModelLineage's count of what was loaded
};

// One version of a model's weights.
struct ModelVersion {
  uint64_t version = 0;
  int64_t update = 0;  // the trainer's update count
  KeptWeights pushed;
  std::optional<KeptWeights> ema;  // the moving average up to here, of models that keep one

  const KeptWeights& weights(bool of_ema) const { return of_ema ? *ema : pushed; }
  KeptWeights& weights(bool of_ema) { return of_ema ? *ema : pushed; }
  int64_t bytes() const { return pushed.bytes + (ema ? ema->bytes : 0); }
};

// The weights of one model from its registration on, in the order in which they came: first the
// initial ones, then what was pushed. Not thread safe.
class ModelLineage {
 public:
  // `initial` is loaded.
  ModelLineage(std::string model, ModelVersion initial, const VersionLimits& limits);

  const ModelVersion& initial() const { return versions_.front(); }
  const ModelVersion& newest() const { return versions_.back(); }
  const std::deque<ModelVersion>& versions() const { return versions_; }

  // Where a trainer went back, the updates from there on are those of its second course.
  // NotYetError for what may still be pushed; FailedPrecondition for what is no longer kept or was
  // never pushed. The message names the model, what is missing and what there is.
  absl::StatusOr<const ModelVersion*> Find(const WeightsWish& wish) const;

  // The version that one of `update`, pushed next, goes on from: the newest below it in the course
  // that the trainer is on, or else the initial one.
  const ModelVersion& Before(int64_t update) const;

  // `version` must be above the newest one. Returns the versions that are no longer kept.
  std::vector<ModelVersion> Add(ModelVersion version);

  // Forgets a version, whose file is damaged; nothing for the initial one and one that is no longer
  // kept.
  void Drop(uint64_t version);

  // Remembers that a kept version, or its average, has been loaded; nothing for one that is no
  // longer kept.
  void SetLoaded(uint64_t version, bool ema, std::shared_ptr<GuessModel> loaded);

 private:
  absl::Status Missing(const WeightsWish& wish) const;
  void Load(KeptWeights* weights, std::shared_ptr<GuessModel> loaded);
  // Forgets the models beyond the limit that were loaded longest ago, but for the newest version's:
  // old weights that guess every step of a feed stay, whatever is pushed.
  void LimitLoaded();

  const std::string model_;
  const VersionLimits limits_;
  std::deque<ModelVersion> versions_;  // never empty
  int64_t bytes_ = 0;                  // of all but the initial version
  int64_t loads_ = 0;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_MODEL_LINEAGE_H_
