#ifndef MIXFEED_SERVER_CORE_MODEL_REGISTRY_H_
#define MIXFEED_SERVER_CORE_MODEL_REGISTRY_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/base/mutex.h"
#include "augment/guess/torch_runtime.h"
#include "mixfeed/v1/model.pb.h"
#include "server/core/model_lineage.h"
#include "server/core/model_store.h"
#include "server/core/pushed_version.h"

namespace mixfeed {

// The guess models of a server: a name, and under it the weights that it was registered with and
// those that were pushed since (model_lineage.h). A registration under a known name begins anew.
// Several registries may share a store: what one of them stored, the others have after Refresh.
// Thread safe. Bounded: at most kMaxNames names; a further one is refused with ResourceExhausted.
class ModelRegistry {
 public:
  static constexpr size_t kMaxNames = 64;

  struct Parts {
    // Tries a model where it can do no harm; run once for each registration, before `load`.
    // Cancelled when `stop` is requested; NotYetError for a model elsewhere that does not answer.
    std::function<absl::Status(const ModelSource&, std::stop_token stop)> try_model;
    std::function<absl::StatusOr<std::shared_ptr<GuessModel>>(const ModelSource&)> load;
    VersionLimits limits = {};
  };

  // Loads what the store holds: of pushed weights the newest that load. What no longer loads is
  // skipped with a warning in the log; its versions count on. Errors: what the store's ReadAll
  // returns, and NotYetError when weights cannot be read now.
  static absl::StatusOr<std::unique_ptr<ModelRegistry>> Open(std::unique_ptr<ModelStore> store,
                                                             Parts parts);

  // Tries, loads and stores a model, and makes it the current one of its name. `header` is
  // resolved: classes, image and normalisation are set. Takes seconds; one at a time. Errors:
  // InvalidArgument (name, kind, update, archive, address); with nothing changed, Cancelled when
  // `stop` was requested and Aborted when another version of the name came meanwhile; and what
  // try_model, load and the store return, Unavailable among it.
  absl::StatusOr<v1::Model> Register(const v1::RegisterModelHeader& header, std::string archive,
                                     std::stop_token stop = {});

  // As Register, but nothing happens when the current version is of the same header and archive:
  // for models that are named whenever the server starts. One whose try_model says NotYetError,
  // since another server runs it that is away, is registered all the same, with a warning in the
  // log.
  absl::StatusOr<v1::Model> RegisterOnce(const v1::RegisterModelHeader& header,
                                         std::string archive);

  // Makes `safetensors` the newest weights of header.model. They are checked, loaded beside the
  // live ones and stored first; whatever fails changes nothing, but that after an Unavailable of a
  // shared store the weights may show up there. Pushes to one model wait for each other, for no
  // trial of a registration and no guess. Returns the model with the new one of its versions.
  // Errors: NotFound (model); InvalidArgument (the bytes and their digest, names, shapes, types,
  // values that are not finite); Aborted, with the version that won, when header.replaces is not
  // the newest version; FailedPrecondition for an update that is not above the newest one's, unless
  // header.rewind; Unimplemented for a model whose weights are elsewhere; Cancelled, with nothing
  // changed, when `stop` was requested before its end; and what Refresh returns, where
  // header.replaces is not known here.
  absl::StatusOr<v1::Model> Push(const v1::PushWeightsHeader& header, std::string safetensors,
                                 std::stop_token stop = {});

  // Takes over what others have registered and pushed to the store meanwhile; they have tried the
  // models. Of pushed weights the newest are loaded. Errors: what the store's ReadAll returns, and
  // NotYetError, with what there was before, while the newest weights cannot be read.
  absl::Status Refresh();

  // Called after every registration, push and Refresh, without a lock that finding models takes; it
  // must neither register nor push. To be set before other threads use the registry.
  void SetChanged(std::function<void()> changed) { changed_ = std::move(changed); }

  const VersionLimits& limits() const { return parts_.limits; }

  // The push interval that the model's trainer declared, in updates; 0: none, or no such model.
  uint32_t PushEvery(const std::string& name) const;

  // Whether another server runs the model, so that nobody pushes to it; false for no such model.
  bool IsRemote(const std::string& name) const;

  // FindModel (augment/guess/guesser.h), but whether the model is Ready is not looked at. Loads
  // weights that are in their file only. Errors say that `field` has the name.
  absl::StatusOr<std::shared_ptr<GuessModel>> Find(const std::string& name,
                                                   const WeightsWish& wish = {},
                                                   const char* field = kModelField) const;

  std::vector<v1::Model> List() const;

 private:
  static constexpr char kModelField[] = "recipe.guess.model";

  struct Entry {
    v1::Model registered;  // as it was registered
    uint64_t last_version = 0;
    uint32_t push_every = 0;                // as the trainer declared it; 0: it did not
    std::shared_ptr<ModelLineage> lineage;  // null when the stored model no longer loads
  };

  ModelRegistry(std::unique_ptr<ModelStore> store, Parts parts)
      : store_(std::move(store)), parts_(std::move(parts)) {}
  absl::StatusOr<v1::Model> Add(const v1::RegisterModelHeader& header, std::string archive,
                                bool may_be_away, const std::stop_token& stop)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(register_mu_);
  // The current model of that name, if it is of that registration.
  std::optional<v1::Model> FindRegistration(const std::string& name,
                                            const std::string& digest) const;
  absl::StatusOr<uint64_t> NextVersion(const std::string& name) const;
  // Both: NotYetError, where the store cannot be reached; what does not load is left out.
  absl::Status Reload(StoredModel stored);
  // Returns the model as List has it.
  v1::Model Set(const v1::Model& model, const std::shared_ptr<GuessModel>& loaded);
  absl::Status ReloadPushed(const std::vector<StoredWeights>& pushed, Entry* entry) const;
  // Adds those of the pushed weights that are newer than what there is.
  absl::Status AddPushed(const std::string& name, const std::vector<StoredWeights>& pushed)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(store_mu_);
  // Loads the version's weights, and its average where there is one.
  absl::Status Load(const GuessModel& initial, ModelVersion* version) const;

  absl::StatusOr<const Entry*> FindEntry(const std::string& name,
                                         const char* field = kModelField) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  struct PushPlan {
    std::shared_ptr<GuessModel> replaced;
    uint64_t version = 0;  // of what is pushed
    ModelVersion before;   // ModelLineage::Before the update
    double ema_decay = 0;
  };
  // Whether the model has come that far here; through a server that shares the store it may be
  // further.
  bool Knows(const std::string& name, uint64_t version) const;
  // Its errors are Push's that depend on what there is.
  absl::StatusOr<PushPlan> CheckPush(const v1::PushWeightsHeader& header) const;
  // What the new average goes on from; nullopt for a model that keeps none.
  absl::StatusOr<std::optional<PushBase::Ema>> EmaBefore(const v1::PushWeightsHeader& header,
                                                         const PushPlan& plan) const;
  // The bytes of the version's average.
  absl::StatusOr<std::string> AverageOf(const std::string& model,
                                        const ModelVersion& version) const;
  absl::StatusOr<v1::Model> Flip(const v1::PushWeightsHeader& header, ModelVersion version);
  // Loads the weights of `version` from their file.
  absl::StatusOr<std::shared_ptr<GuessModel>> LoadVersion(const GuessModel& initial,
                                                          const ModelVersion& version,
                                                          bool ema) const;

  Mutex register_mu_;  // held for a whole registration
  Mutex push_mu_;      // held for a whole push; before store_mu_
  // Held while the store is changed or read and entries_ after it; before mu_.
  Mutex store_mu_;
  const std::unique_ptr<ModelStore> store_;
  const Parts parts_;
  std::function<void()> changed_ = [] {};

  mutable Mutex mu_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mu_);
};

// Whether `kind` is one of BuiltinNetworks().
bool IsBuiltinNetwork(const std::string& kind);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_MODEL_REGISTRY_H_
