#ifndef MIXFEED_SERVER_CORE_PUSHED_VERSION_H_
#define MIXFEED_SERVER_CORE_PUSHED_VERSION_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "augment/guess/guess_model.h"
#include "augment/weights/state_dict.h"
#include "mixfeed/v1/model.pb.h"
#include "server/core/model_lineage.h"
#include "server/core/model_store.h"

namespace mixfeed {

// What a push goes on from.
struct PushBase {
  const GuessModel& replaced;
  uint64_t version = 0;  // the new one's
  struct Ema {
    StateDict average;  // up to the version before
    double decay = 0;   // over all updates since that version
  };
  std::optional<Ema> ema;  // of a model that keeps an average
};

// A version that is loaded and ready to guess, with the contents of its files.
struct PushedVersion {
  ModelVersion version;
  StoredWeights stored;
  std::string pushed;
  std::string ema;  // empty exactly when version.ema is not set
};

// Checks and loads what was pushed; changes nothing. InvalidArgument: the bytes and their digest,
// names, shapes, types, values that are not finite; Unimplemented for a model whose weights are
// elsewhere.
absl::StatusOr<PushedVersion> MakePushedVersion(const v1::PushWeightsHeader& header,
                                                std::string safetensors, const PushBase& base);

// The version as the store has it.
StoredWeights StoredOf(const std::string& model, const ModelVersion& version);

// What the store has of a version, without its models. nullopt for one of which a file is missing:
// `with_ema`, of a model that keeps averages, both must be there.
std::optional<ModelVersion> VersionOf(const StoredWeights& stored, bool with_ema);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_PUSHED_VERSION_H_
