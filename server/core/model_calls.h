#ifndef MIXFEED_SERVER_CORE_MODEL_CALLS_H_
#define MIXFEED_SERVER_CORE_MODEL_CALLS_H_

#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "mixfeed/v1/model.pb.h"
#include "server/core/dataset_store.h"
#include "server/core/model_registry.h"
#include "server/options.h"

namespace mixfeed {

// What ModelService answers. Thread safe; all that it points to must outlive it.
class ModelCalls {
 public:
  ModelCalls(const ServerOptions& options, const DatasetStore* datasets, ModelRegistry* models);

  // Before the archive is received. PermissionDenied where registration is off; InvalidArgument for
  // an archive above the limit.
  absl::Status CheckMayRegister(const v1::RegisterModelHeader& header) const;

  // Takes seconds. InvalidArgument when `archive` is not as long as its header says; Cancelled,
  // with nothing registered, when `stop` was requested before its end.
  absl::StatusOr<v1::RegisterModelResponse> RegisterModel(v1::RegisterModelHeader header,
                                                          std::string archive,
                                                          std::stop_token stop) const;

  v1::ListModelsResponse ListModels() const;

 private:
  const bool may_register_;
  const uint64_t max_archive_bytes_;
  const DatasetStore* const datasets_;
  ModelRegistry* const models_;
};

// Registers what `--model NAME=KIND|FILE` names, unless it is the current version already.
absl::Status RegisterAtStart(const std::string& text, const DatasetStore& datasets,
                             ModelRegistry* models);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_MODEL_CALLS_H_
