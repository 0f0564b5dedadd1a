#ifndef MIXFEED_SERVER_CORE_MODEL_CALLS_H_
#define MIXFEED_SERVER_CORE_MODEL_CALLS_H_

#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "mixfeed/v1/model.pb.h"
#include "server/core/dataset_store.h"
#include "server/core/feed_registry.h"
#include "server/core/model_registry.h"
#include "server/options.h"

namespace mixfeed {

// What ModelService answers. Thread safe; all that it points to must outlive it.
class ModelCalls {
 public:
  ModelCalls(const ServerOptions& options, const DatasetStore* datasets, ModelRegistry* models,
             const FeedRegistry* feeds);

  // Before the archive is received. PermissionDenied where registration is off; InvalidArgument for
  // an archive above the limit.
  absl::Status CheckMayRegister(const v1::RegisterModelHeader& header) const;

  // Takes seconds. InvalidArgument when `archive` is not as long as its header says; Cancelled,
  // with nothing registered, when `stop` was requested before its end.
  absl::StatusOr<v1::RegisterModelResponse> RegisterModel(v1::RegisterModelHeader header,
                                                          std::string archive,
                                                          std::stop_token stop) const;

  // Before the weights are received. InvalidArgument for weights above the limit;
  // FailedPrecondition for a push interval with which an open feed that is used would wait for
  // ever; what the journal returns.
  absl::Status CheckMayPush(const v1::PushWeightsHeader& header) const;

  // ModelRegistry::Push.
  absl::StatusOr<v1::PushWeightsResponse> PushWeights(const v1::PushWeightsHeader& header,
                                                      std::string weights,
                                                      std::stop_token stop) const;

  v1::ListModelsResponse ListModels() const;

 private:
  const bool may_register_;
  const uint64_t max_archive_bytes_;
  const DatasetStore* const datasets_;
  ModelRegistry* const models_;
  const FeedRegistry* const feeds_;
};

// Registers what `--model NAME=KIND|FILE|kserve://ADDRESS` names, unless it is the current version
// already.
absl::Status RegisterAtStart(const std::string& text, const DatasetStore& datasets,
                             ModelRegistry* models);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_MODEL_CALLS_H_
