#include "server/core/model_registry.h"

#include <spdlog/spdlog.h>
#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/guess/not_yet.h"
#include "server/core/batch_convert.h"
#include "server/core/names.h"
#include "server/kserve/address.h"
#include "server/kserve/kserve_model.h"

namespace mixfeed {
namespace {

constexpr char kDefaultNormalisation[] = "signed";

// What only a model that another server runs has, and what it lacks.
absl::Status CheckRemote(const v1::RegisterModelHeader& header, const std::string& archive) {
  if (header.kind() != kKserveKind) {
    if (header.address().empty()) return absl::OkStatus();
    return FieldError("header.address", absl::StrCat("\"", header.address(), "\""),
                      absl::StrCat("empty for kind ", header.kind()));
  }
  if (!archive.empty()) {
    return FieldError("header.archive_bytes", absl::StrCat(archive.size()),
                      "0 for kind kserve, whose weights are elsewhere");
  }
  if (header.batch_statistics()) {
    return FieldError("header.batch_statistics", "true",
                      "false for kind kserve, which guesses with running statistics");
  }
  return InField("header", ParseKserveAddress(header.address()).status());
}

bool WithBatchStatistics(const v1::RegisterModelHeader& header) {
  return header.has_batch_statistics() ? header.batch_statistics() : header.kind() != kKserveKind;
}

absl::Status CheckHeader(const v1::RegisterModelHeader& header, const std::string& archive) {
  MIXFEED_RETURN_IF_ERROR(CheckName("header.name", header.name()));
  const bool torchscript = header.kind() == kTorchScriptKind;
  const bool remote = header.kind() == kKserveKind;
  if (!torchscript && !remote && !IsBuiltinNetwork(header.kind())) {
    return FieldError("header.kind", absl::StrCat("\"", header.kind(), "\""),
                      absl::StrCat(kTorchScriptKind, ", ", kKserveKind, ", ",
                                   absl::StrJoin(BuiltinNetworks(), ", ")));
  }
  MIXFEED_RETURN_IF_ERROR(CheckRemote(header, archive));
  if (torchscript && archive.empty()) {
    return absl::InvalidArgumentError(
        "header.archive_bytes is 0; allowed: a TorchScript archive in chunks");
  }
  constexpr uint64_t kMaxUpdate = std::numeric_limits<int64_t>::max();
  MIXFEED_RETURN_IF_ERROR(CheckRange("header.update", header.update(), uint64_t{0}, kMaxUpdate));
  if (!(header.ema_decay() >= 0 && header.ema_decay() < 1)) {
    return FieldError("header.ema_decay", absl::StrCat(header.ema_decay()),
                      "0 (no average) and more, below 1");
  }
  return CheckRange("header.classes", header.classes(), 2u, 32767u);
}

// XXH3-128 of the header, whose fields protobuf writes in one order, and the archive.
std::string RegistrationDigest(const v1::RegisterModelHeader& header, const std::string& archive) {
  const std::string head = header.SerializeAsString();
  XXH3_state_t* const state = XXH3_createState();
  XXH3_128bits_reset(state);
  XXH3_128bits_update(state, head.data(), head.size());
  XXH3_128bits_update(state, archive.data(), archive.size());
  const XXH128_hash_t hash = XXH3_128bits_digest(state);
  XXH3_freeState(state);
  return absl::StrCat(absl::Hex(hash.high64, absl::kZeroPad16),
                      absl::Hex(hash.low64, absl::kZeroPad16));
}

constexpr char kRegistration[] = "registration";
constexpr char kPush[] = "push";

absl::Status CheckStop(const std::stop_token& stop, const char* what) {
  if (!stop.stop_requested()) return absl::OkStatus();
  return absl::CancelledError(absl::StrCat("the ", what, " was cancelled"));
}

// Leaves `model` without its archive, unless there is an error.
absl::StatusOr<ModelSource> TakeSource(StoredModel* stored) {
  const StoredModel& model = *stored;
  ModelSource source;
  source.info.name = model.header.name();
  source.info.version = static_cast<int64_t>(model.version);
  source.info.update = static_cast<int64_t>(model.header.update());
  source.info.kind = model.header.kind();
  source.info.classes = static_cast<int>(model.header.classes());
  const absl::StatusOr<ImageShape> shape = ShapeFromProto(model.header.image());
  MIXFEED_RETURN_IF_ERROR(InField("header", shape.status()));
  source.info.input = *shape;
  const absl::StatusOr<Normalisation> normalisation = NormalisationFromProto(
      model.header.normalisation(), kDefaultNormalisation, source.info.input.channels);
  MIXFEED_RETURN_IF_ERROR(InField("header", normalisation.status()));
  source.info.normalisation = *normalisation;
  source.init_seed = model.header.init_seed();
  source.batch_statistics = WithBatchStatistics(model.header);
  source.address = model.header.address();
  source.archive = std::move(stored->archive);
  return source;
}

v1::Model Describe(const StoredModel& stored) {
  v1::Model model;
  model.set_name(stored.header.name());
  model.set_version(stored.version);
  model.set_kind(stored.header.kind());
  model.set_classes(stored.header.classes());
  *model.mutable_image() = stored.header.image();
  model.set_update(stored.header.update());
  model.set_archive_bytes(stored.archive.size());
  model.set_digest(RegistrationDigest(stored.header, stored.archive));
  model.set_batch_statistics(WithBatchStatistics(stored.header));
  model.set_ema_decay(stored.header.ema_decay());
  *model.mutable_normalisation() = stored.header.normalisation();
  model.set_address(stored.header.address());
  return model;
}

void AddVersion(const ModelVersion& kept, v1::Model* model) {
  v1::ModelVersion* const version = model->add_versions();
  version->set_version(kept.version);
  version->set_update(static_cast<uint64_t>(kept.update));
  version->set_weights(kept.pushed.digest);
  version->set_bytes(static_cast<uint64_t>(kept.pushed.bytes));
  if (kept.ema) version->set_ema(kept.ema->digest);
}

// The model as it is now, without its versions.
v1::Model DescribeNewest(const v1::Model& registered, const ModelLineage& lineage,
                         uint32_t push_every) {
  v1::Model model = registered;
  const ModelVersion& newest = lineage.newest();
  model.set_version(newest.version);
  model.set_update(static_cast<uint64_t>(newest.update));
  model.set_weights(newest.pushed.digest);
  model.set_initial_version(lineage.initial().version);
  model.set_push_every(push_every);
  return model;
}

// The model as it is now, with the weights that were pushed since.
v1::Model DescribeEntry(const v1::Model& registered, const ModelLineage& lineage,
                        uint32_t push_every) {
  v1::Model model = DescribeNewest(registered, lineage, push_every);
  for (const ModelVersion& kept : lineage.versions()) AddVersion(kept, &model);
  return model;
}

// Whether updates of the model's weights can ever come.
absl::Status CheckTakesPushes(const v1::Model& model) {
  if (model.kind() != kKserveKind) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("guess model \"", model.name(),
                   "\" is run by another server, to which nobody pushes updates; "
                   "guess with recipe.guess.policy newest or pinned"));
}

}  // namespace

bool IsBuiltinNetwork(const std::string& kind) {
  const auto names = BuiltinNetworks();
  return std::any_of(names.begin(), names.end(), [&](const char* name) { return kind == name; });
}

absl::StatusOr<std::unique_ptr<ModelRegistry>> ModelRegistry::Open(
    std::unique_ptr<ModelStore> store, Parts parts) {
  MIXFEED_ASSIGN_OR_RETURN(std::vector<StoredModel> models, store->ReadAll({}));
  std::unique_ptr<ModelRegistry> registry(new ModelRegistry(std::move(store), std::move(parts)));
  for (StoredModel& model : models) MIXFEED_RETURN_IF_ERROR(registry->Reload(std::move(model)));
  return registry;
}

absl::Status ModelRegistry::Reload(StoredModel stored) {
  const v1::Model model = Describe(stored);
  const std::vector<StoredWeights> pushed = std::move(stored.pushed);
  absl::StatusOr<std::shared_ptr<GuessModel>> loaded = nullptr;
  if (const absl::StatusOr<ModelSource> source = TakeSource(&stored); source.ok()) {
    loaded = parts_.load(*source);
  } else {
    loaded = source.status();
  }
  if (!loaded.ok()) {
    spdlog::warn("model \"{}\" version {} no longer loads: {}", model.name(), model.version(),
                 std::string(loaded.status().message()));
    loaded = nullptr;
  }
  Set(model, *loaded);
  MutexLock lock(&mu_);
  return ReloadPushed(pushed, &entries_[model.name()]);
}

absl::StatusOr<v1::Model> ModelRegistry::Register(const v1::RegisterModelHeader& header,
                                                  std::string archive, std::stop_token stop) {
  MutexLock registering(&register_mu_);
  return Add(header, std::move(archive), /*may_be_away=*/false, stop);
}

absl::StatusOr<v1::Model> ModelRegistry::RegisterOnce(const v1::RegisterModelHeader& header,
                                                      std::string archive) {
  MutexLock registering(&register_mu_);
  const std::string digest = RegistrationDigest(header, archive);
  if (auto known = FindRegistration(header.name(), digest)) return *std::move(known);
  absl::StatusOr<v1::Model> added =
      Add(header, std::move(archive), /*may_be_away=*/true, std::stop_token());
  if (!absl::IsAborted(added.status())) return added;
  // Another server that was started with the same flags may have been faster.
  MIXFEED_RETURN_IF_ERROR(Refresh());
  if (auto known = FindRegistration(header.name(), digest)) return *std::move(known);
  return added;
}

std::optional<v1::Model> ModelRegistry::FindRegistration(const std::string& name,
                                                         const std::string& digest) const {
  for (v1::Model& model : List()) {
    if (model.name() == name && model.digest() == digest) return std::move(model);
  }
  return std::nullopt;
}

absl::StatusOr<v1::Model> ModelRegistry::Add(const v1::RegisterModelHeader& header,
                                             std::string archive, bool may_be_away,
                                             const std::stop_token& stop) {
  MIXFEED_RETURN_IF_ERROR(CheckStop(stop, kRegistration));
  MIXFEED_RETURN_IF_ERROR(CheckHeader(header, archive));
  StoredModel stored{.version = 0, .header = header, .archive = std::move(archive), .pushed = {}};
  MIXFEED_ASSIGN_OR_RETURN(stored.version, NextVersion(header.name()));
  // An archive may have a GiB: it is handed on, not copied.
  MIXFEED_ASSIGN_OR_RETURN(ModelSource source, TakeSource(&stored));
  const absl::Status tried = parts_.try_model(source, stop);
  if (!may_be_away || !IsNotYet(tried)) MIXFEED_RETURN_IF_ERROR(tried);
  if (IsNotYet(tried)) spdlog::warn("{}", std::string(tried.message()));
  MIXFEED_ASSIGN_OR_RETURN(std::shared_ptr<GuessModel> loaded, parts_.load(source));
  stored.archive = std::move(source.archive);
  // Whoever has given up, and may have been told so, must not find the model registered.
  MIXFEED_RETURN_IF_ERROR(CheckStop(stop, kRegistration));
  v1::Model model;
  {
    MutexLock storing(&store_mu_);
    // A trial takes seconds, in which others push.
    MIXFEED_ASSIGN_OR_RETURN(const uint64_t next, NextVersion(header.name()));
    if (next != stored.version) {
      return absl::AbortedError(
          absl::StrCat("model \"", header.name(),
                       "\" was registered or pushed to meanwhile: its newest version is ", next - 1,
                       ", so this one can't be ", stored.version, "; register it again"));
    }
    MIXFEED_RETURN_IF_ERROR(store_->Put(stored));
    model = Set(Describe(stored), loaded);
  }
  spdlog::info("model \"{}\" version {} ({}) is registered", model.name(), model.version(),
               model.kind());
  changed_();
  return model;
}

absl::StatusOr<uint64_t> ModelRegistry::NextVersion(const std::string& name) const {
  MutexLock lock(&mu_);
  if (const auto found = entries_.find(name); found != entries_.end()) {
    return found->second.last_version + 1;
  }
  if (entries_.size() < kMaxNames) return uint64_t{0};
  return absl::ResourceExhaustedError(
      absl::StrCat("header.name: ", entries_.size(),
                   " models are registered, the most allowed; register under one of their names"));
}

v1::Model ModelRegistry::Set(const v1::Model& model, const std::shared_ptr<GuessModel>& loaded) {
  Entry entry;
  entry.registered = model;
  entry.last_version = model.version();
  if (loaded != nullptr) {
    ModelVersion initial{.version = model.version(),
                         .update = static_cast<int64_t>(model.update()),
                         .pushed = {.digest = loaded->info().weights, .bytes = 0, .loaded = loaded},
                         .ema = std::nullopt};
    // The average of one version is that version.
    if (model.ema_decay() > 0) initial.ema = initial.pushed;
    entry.lineage = std::make_shared<ModelLineage>(model.name(), std::move(initial), parts_.limits);
  }
  v1::Model described = model;
  if (entry.lineage != nullptr) described = DescribeEntry(model, *entry.lineage, 0);
  MutexLock lock(&mu_);
  entries_[model.name()] = std::move(entry);
  return described;
}

absl::StatusOr<v1::Model> ModelRegistry::Push(const v1::PushWeightsHeader& header,
                                              std::string safetensors, std::stop_token stop) {
  MutexLock pushing(&push_mu_);
  MIXFEED_RETURN_IF_ERROR(CheckStop(stop, kPush));
  if (!Knows(header.model(), header.replaces())) MIXFEED_RETURN_IF_ERROR(Refresh());
  MIXFEED_ASSIGN_OR_RETURN(const PushPlan plan, CheckPush(header));
  MIXFEED_ASSIGN_OR_RETURN(std::optional<PushBase::Ema> ema, EmaBefore(header, plan));
  MIXFEED_ASSIGN_OR_RETURN(const PushedVersion made,
                           MakePushedVersion(header, std::move(safetensors),
                                             {*plan.replaced, plan.version, std::move(ema)}));
  MIXFEED_RETURN_IF_ERROR(CheckStop(stop, kPush));
  absl::StatusOr<v1::Model> model;
  {
    MutexLock storing(&store_mu_);
    // A registration, or what another server pushed, may have come first. Only this must find it:
    // what is stored under this version may be another's by now, and must not be removed.
    MIXFEED_RETURN_IF_ERROR(CheckPush(header).status());
    MIXFEED_RETURN_IF_ERROR(store_->PutWeights(made.stored, made.pushed, made.ema));
    model = Flip(header, made.version);
  }
  if (model.ok()) changed_();
  return model;
}

bool ModelRegistry::Knows(const std::string& name, uint64_t version) const {
  MutexLock lock(&mu_);
  const auto found = entries_.find(name);
  return found != entries_.end() && version <= found->second.last_version;
}

absl::StatusOr<std::optional<PushBase::Ema>> ModelRegistry::EmaBefore(
    const v1::PushWeightsHeader& header, const PushPlan& plan) const {
  if (plan.ema_decay == 0) return std::nullopt;
  MIXFEED_ASSIGN_OR_RETURN(std::string bytes, AverageOf(header.model(), plan.before));
  MIXFEED_ASSIGN_OR_RETURN(StateDict average, StateDict::Parse(std::move(bytes)));
  // A trainer that went back to before the registration's update begins the average anew.
  const auto updates =
      std::max<int64_t>(0, static_cast<int64_t>(header.update()) - plan.before.update);
  return PushBase::Ema{std::move(average), std::pow(plan.ema_decay, static_cast<double>(updates))};
}

absl::StatusOr<std::string> ModelRegistry::AverageOf(const std::string& model,
                                                     const ModelVersion& version) const {
  const KeptWeights& average = *version.ema;
  const std::shared_ptr<GuessModel>& loaded = average.loaded;
  // A network in half precision has it less exactly than its file.
  if (loaded != nullptr && loaded->info().weights == average.digest) return loaded->Weights();
  absl::StatusOr<std::string> bytes = store_->ReadWeights(StoredOf(model, version), /*ema=*/true);
  if (!absl::IsDataLoss(bytes.status()) || loaded == nullptr) return bytes;
  spdlog::error(
      "model \"{}\": the average up to update {}, version {}, goes on as it was loaded: {}", model,
      version.update, version.version, std::string(bytes.status().message()));
  return loaded->Weights();
}

absl::StatusOr<ModelRegistry::PushPlan> ModelRegistry::CheckPush(
    const v1::PushWeightsHeader& header) const {
  constexpr uint64_t kMaxUpdate = std::numeric_limits<int64_t>::max();
  MIXFEED_RETURN_IF_ERROR(CheckRange("header.update", header.update(), uint64_t{0}, kMaxUpdate));
  MutexLock lock(&mu_);
  const auto found = entries_.find(header.model());
  if (found == entries_.end() || found->second.lineage == nullptr) {
    return absl::NotFoundError(absl::StrCat("header.model: no model \"", header.model(),
                                            "\" is registered; register it first"));
  }
  const ModelVersion& newest = found->second.lineage->newest();
  if (header.replaces() != newest.version) {
    return absl::AbortedError(absl::StrCat(
        "header.replaces is ", header.replaces(), ", but the newest version of model \"",
        header.model(), "\" is ", newest.version, ", of update ", newest.update,
        ": another trainer pushes to it, or an earlier push of this one has arrived"));
  }
  if (!header.rewind() && std::cmp_less_equal(header.update(), newest.update)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "header.update is ", header.update(), ", but the newest weights of model \"",
        header.model(), "\" are of update ", newest.update,
        ": guesses that were made with them stay in the run; fork it for a trainer that went back, "
        "and set header.rewind"));
  }
  const ModelLineage& lineage = *found->second.lineage;
  return PushPlan{.replaced = newest.pushed.loaded,
                  .version = found->second.last_version + 1,
                  .before = lineage.Before(static_cast<int64_t>(header.update())),
                  .ema_decay = found->second.registered.ema_decay()};
}

absl::StatusOr<v1::Model> ModelRegistry::Flip(const v1::PushWeightsHeader& header,
                                              ModelVersion version) {
  std::vector<ModelVersion> dropped;
  v1::Model model;
  {
    MutexLock lock(&mu_);
    Entry& entry = entries_[header.model()];
    if (entry.lineage == nullptr || entry.last_version + 1 != version.version) {
      return absl::AbortedError(absl::StrCat("model \"", header.model(),
                                             "\" was registered anew in the meantime, as version ",
                                             entry.last_version));
    }
    entry.last_version = version.version;
    if (header.push_every() > 0) entry.push_every = header.push_every();
    dropped = entry.lineage->Add(std::move(version));
    model = DescribeNewest(entry.registered, *entry.lineage, entry.push_every);
    AddVersion(entry.lineage->newest(), &model);
  }
  for (const ModelVersion& old : dropped) store_->RemoveWeights(StoredOf(header.model(), old));
  return model;
}

absl::StatusOr<const ModelRegistry::Entry*> ModelRegistry::FindEntry(const std::string& name,
                                                                     const char* field) const {
  std::string names;
  const Entry* found = nullptr;
  int candidates = 0;
  for (const auto& [known, entry] : entries_) {
    if (entry.lineage == nullptr) continue;
    absl::StrAppend(&names, names.empty() ? "" : ", ", known);
    if (!name.empty() && name != known) continue;
    found = &entry;
    ++candidates;
  }
  if (candidates == 1) return found;
  if (candidates > 1) {
    return absl::FailedPreconditionError(absl::StrCat(
        "recipe.guess.model is empty and several models are registered; allowed: one of ", names,
        " (--model NAME)"));
  }
  constexpr char kHow[] =
      "register one with `mixfeed model register` or --model NAME=KIND|FILE|kserve://...";
  if (names.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(field, " is \"", name, "\", and no model is registered; ", kHow));
  }
  return absl::FailedPreconditionError(absl::StrCat(
      field, " is \"", name, "\", which is not registered; allowed: ", names, "; or ", kHow));
}

absl::StatusOr<std::shared_ptr<GuessModel>> ModelRegistry::Find(const std::string& name,
                                                                const WeightsWish& wish,
                                                                const char* field) const {
  std::shared_ptr<ModelLineage> lineage;
  std::shared_ptr<GuessModel> initial;
  ModelVersion version;
  {
    MutexLock lock(&mu_);
    MIXFEED_ASSIGN_OR_RETURN(const Entry* const entry, FindEntry(name, field));
    lineage = entry->lineage;
    if (wish.ema && entry->registered.ema_decay() == 0) {
      return absl::FailedPreconditionError(absl::StrCat(
          "recipe.guess.ema is true, but no average is kept of model \"", entry->registered.name(),
          "\"; register it with ema_decay (`mixfeed model register --ema-decay`)"));
    }
    if (wish.kind == WeightsWish::Kind::kUpdate && wish.number > 0) {
      MIXFEED_RETURN_IF_ERROR(CheckTakesPushes(entry->registered));
    }
    MIXFEED_ASSIGN_OR_RETURN(const ModelVersion* const found, lineage->Find(wish));
    if (found->weights(wish.ema).loaded != nullptr) return found->weights(wish.ema).loaded;
    version = *found;
    initial = lineage->initial().pushed.loaded;
  }
  const absl::StatusOr<std::shared_ptr<GuessModel>> loaded =
      LoadVersion(*initial, version, wish.ema);
  MutexLock lock(&mu_);
  if (absl::IsDataLoss(loaded.status())) {
    // A push may have dropped it meanwhile.
    MIXFEED_RETURN_IF_ERROR(
        lineage->Find({WeightsWish::Kind::kVersion, static_cast<int64_t>(version.version)})
            .status());
    spdlog::error("model \"{}\": the weights of update {}, version {}, are lost: {}",
                  initial->info().name, version.update, version.version,
                  std::string(loaded.status().message()));
    lineage->Drop(version.version);
  }
  if (loaded.ok()) lineage->SetLoaded(version.version, wish.ema, *loaded);
  return loaded;
}

bool ModelRegistry::IsRemote(const std::string& name) const {
  MutexLock lock(&mu_);
  const auto entry = FindEntry(name);
  return entry.ok() && (*entry)->registered.kind() == kKserveKind;
}

uint32_t ModelRegistry::PushEvery(const std::string& name) const {
  MutexLock lock(&mu_);
  const auto entry = FindEntry(name);
  return entry.ok() ? (*entry)->push_every : 0;
}

std::vector<v1::Model> ModelRegistry::List() const {
  MutexLock lock(&mu_);
  std::vector<v1::Model> models;
  for (const auto& [name, entry] : entries_) {
    if (entry.lineage == nullptr) continue;
    models.push_back(DescribeEntry(entry.registered, *entry.lineage, entry.push_every));
  }
  return models;
}

}  // namespace mixfeed
