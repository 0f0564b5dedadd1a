#ifndef MIXFEED_SERVER_CORE_MODEL_REGISTRY_H_
#define MIXFEED_SERVER_CORE_MODEL_REGISTRY_H_

#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/base/mutex.h"
#include "augment/guess/torch_runtime.h"
#include "mixfeed/v1/model.pb.h"
#include "server/core/model_store.h"

namespace mixfeed {

// The guess models of a server: a name, and under it the version that is current. Older versions
// live on only in the guesses that were made with them. Thread safe. Bounded: at most kMaxNames
// names; a further one is refused with ResourceExhausted.
class ModelRegistry {
 public:
  static constexpr size_t kMaxNames = 64;

  struct Parts {
    // Tries a model where it can do no harm; run once for each registration, before `load`.
    // Cancelled when `stop` is requested.
    std::function<absl::Status(const ModelSource&, std::stop_token stop)> try_model;
    std::function<absl::StatusOr<std::shared_ptr<GuessModel>>(const ModelSource&)> load;
  };

  // Loads what the store holds. A model that no longer loads is skipped with a warning in the log;
  // its versions count on.
  static absl::StatusOr<std::unique_ptr<ModelRegistry>> Open(ModelStore store, Parts parts);

  // Tries, loads and stores a model, and makes it the current one of its name. `header` is
  // resolved: classes, image and normalisation are set. Takes seconds; one at a time. Errors:
  // InvalidArgument (name, kind, update, archive), Cancelled, with nothing changed, when `stop` was
  // requested, and what try_model and load return.
  absl::StatusOr<v1::Model> Register(const v1::RegisterModelHeader& header, std::string archive,
                                     std::stop_token stop = {});

  // As Register, but nothing happens when the current version is of the same header and archive:
  // for models that are named whenever the server starts.
  absl::StatusOr<v1::Model> RegisterOnce(const v1::RegisterModelHeader& header,
                                         std::string archive);

  // The current model of that name; an empty name means the only one there is. FailedPrecondition
  // without one, saying how to register it.
  absl::StatusOr<std::shared_ptr<GuessModel>> Find(const std::string& name) const;

  std::vector<v1::Model> List() const;

 private:
  struct Entry {
    v1::Model model;                     // model.version: the last one that was given
    std::shared_ptr<GuessModel> loaded;  // null when the stored model no longer loads
  };

  ModelRegistry(ModelStore store, Parts parts)
      : store_(std::move(store)), parts_(std::move(parts)) {}
  absl::StatusOr<v1::Model> Add(const v1::RegisterModelHeader& header, std::string archive,
                                const std::stop_token& stop)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(register_mu_);
  absl::StatusOr<uint64_t> NextVersion(const std::string& name) const;
  void Reload(StoredModel stored);
  void Set(const v1::Model& model, std::shared_ptr<GuessModel> loaded);

  Mutex register_mu_;  // held for a whole registration
  const ModelStore store_;
  const Parts parts_;

  mutable Mutex mu_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mu_);
};

// Whether `kind` is one of BuiltinNetworks().
bool IsBuiltinNetwork(const std::string& kind);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_MODEL_REGISTRY_H_
