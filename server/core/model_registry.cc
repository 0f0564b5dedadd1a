#include "server/core/model_registry.h"

#include <spdlog/spdlog.h>
#include <xxhash.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "server/core/batch_convert.h"
#include "server/core/names.h"

namespace mixfeed {
namespace {

constexpr char kDefaultNormalisation[] = "signed";

absl::Status CheckHeader(const v1::RegisterModelHeader& header, const std::string& archive) {
  MIXFEED_RETURN_IF_ERROR(CheckName("header.name", header.name()));
  const bool torchscript = header.kind() == kTorchScriptKind;
  if (!torchscript && !IsBuiltinNetwork(header.kind())) {
    return FieldError("header.kind", absl::StrCat("\"", header.kind(), "\""),
                      absl::StrCat(kTorchScriptKind, ", ", absl::StrJoin(BuiltinNetworks(), ", ")));
  }
  if (torchscript && archive.empty()) {
    return absl::InvalidArgumentError(
        "header.archive_bytes is 0; allowed: a TorchScript archive in chunks");
  }
  constexpr uint64_t kMaxUpdate = std::numeric_limits<int64_t>::max();
  MIXFEED_RETURN_IF_ERROR(CheckRange("header.update", header.update(), uint64_t{0}, kMaxUpdate));
  return CheckRange("header.classes", header.classes(), 2u, 32767u);
}

// XXH3-128 of the header, whose fields protobuf writes in one order, and the archive.
std::string DigestOf(const v1::RegisterModelHeader& header, const std::string& archive) {
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

absl::Status CheckStop(const std::stop_token& stop) {
  if (!stop.stop_requested()) return absl::OkStatus();
  return absl::CancelledError("the registration was cancelled");
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
  source.batch_statistics = !model.header.has_batch_statistics() || model.header.batch_statistics();
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
  model.set_digest(DigestOf(stored.header, stored.archive));
  model.set_batch_statistics(!stored.header.has_batch_statistics() ||
                             stored.header.batch_statistics());
  return model;
}

}  // namespace

bool IsBuiltinNetwork(const std::string& kind) {
  const auto names = BuiltinNetworks();
  return std::any_of(names.begin(), names.end(), [&](const char* name) { return kind == name; });
}

absl::StatusOr<std::unique_ptr<ModelRegistry>> ModelRegistry::Open(ModelStore store, Parts parts) {
  MIXFEED_ASSIGN_OR_RETURN(std::vector<StoredModel> models, store.ReadAll());
  std::unique_ptr<ModelRegistry> registry(new ModelRegistry(std::move(store), std::move(parts)));
  for (StoredModel& model : models) registry->Reload(std::move(model));
  return registry;
}

void ModelRegistry::Reload(StoredModel stored) {
  const v1::Model model = Describe(stored);
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
  Set(model, *std::move(loaded));
}

absl::StatusOr<v1::Model> ModelRegistry::Register(const v1::RegisterModelHeader& header,
                                                  std::string archive, std::stop_token stop) {
  MutexLock registering(&register_mu_);
  return Add(header, std::move(archive), stop);
}

absl::StatusOr<v1::Model> ModelRegistry::RegisterOnce(const v1::RegisterModelHeader& header,
                                                      std::string archive) {
  MutexLock registering(&register_mu_);
  for (const v1::Model& model : List()) {
    if (model.name() == header.name() && model.digest() == DigestOf(header, archive)) return model;
  }
  return Add(header, std::move(archive), std::stop_token());
}

absl::StatusOr<v1::Model> ModelRegistry::Add(const v1::RegisterModelHeader& header,
                                             std::string archive, const std::stop_token& stop) {
  MIXFEED_RETURN_IF_ERROR(CheckStop(stop));
  MIXFEED_RETURN_IF_ERROR(CheckHeader(header, archive));
  StoredModel stored{.version = 0, .header = header, .archive = std::move(archive)};
  MIXFEED_ASSIGN_OR_RETURN(stored.version, NextVersion(header.name()));
  // An archive may have a GiB: it is handed on, not copied.
  MIXFEED_ASSIGN_OR_RETURN(ModelSource source, TakeSource(&stored));
  MIXFEED_RETURN_IF_ERROR(parts_.try_model(source, stop));
  MIXFEED_ASSIGN_OR_RETURN(std::shared_ptr<GuessModel> loaded, parts_.load(source));
  stored.archive = std::move(source.archive);
  // Whoever has given up, and may have been told so, must not find the model registered.
  MIXFEED_RETURN_IF_ERROR(CheckStop(stop));
  MIXFEED_RETURN_IF_ERROR(store_.Put(stored));
  v1::Model model = Describe(stored);
  Set(model, std::move(loaded));
  spdlog::info("model \"{}\" version {} ({}) is registered", model.name(), model.version(),
               model.kind());
  return model;
}

absl::StatusOr<uint64_t> ModelRegistry::NextVersion(const std::string& name) const {
  MutexLock lock(&mu_);
  if (const auto found = entries_.find(name); found != entries_.end()) {
    return found->second.model.version() + 1;
  }
  if (entries_.size() < kMaxNames) return uint64_t{1};
  return absl::ResourceExhaustedError(
      absl::StrCat("header.name: ", entries_.size(),
                   " models are registered, the most allowed; register under one of their names"));
}

void ModelRegistry::Set(const v1::Model& model, std::shared_ptr<GuessModel> loaded) {
  MutexLock lock(&mu_);
  entries_[model.name()] = {model, std::move(loaded)};
}

absl::StatusOr<std::shared_ptr<GuessModel>> ModelRegistry::Find(const std::string& name) const {
  MutexLock lock(&mu_);
  std::string names;
  std::shared_ptr<GuessModel> found;
  int candidates = 0;
  for (const auto& [known, entry] : entries_) {
    if (!entry.loaded) continue;
    absl::StrAppend(&names, names.empty() ? "" : ", ", known);
    if (!name.empty() && name != known) continue;
    found = entry.loaded;
    ++candidates;
  }
  if (candidates == 1) return found;
  if (candidates > 1) {
    return absl::FailedPreconditionError(absl::StrCat(
        "recipe.guess.model is empty and several models are registered; allowed: one of ", names,
        " (--model NAME)"));
  }
  constexpr char kHow[] = "register one with `mixfeed model register` or --model NAME=KIND|FILE";
  if (names.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("no guess model is registered; ", kHow));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("guess model \"", name, "\" is not registered; there are ", names, "; ", kHow));
}

std::vector<v1::Model> ModelRegistry::List() const {
  MutexLock lock(&mu_);
  std::vector<v1::Model> models;
  for (const auto& [name, entry] : entries_) {
    if (entry.loaded) models.push_back(entry.model);
  }
  return models;
}

}  // namespace mixfeed
