#include "server/core/pushed_version.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

// What was pushed, checked as far as it can be without the model.
absl::StatusOr<StateDict> ReadPushed(const v1::PushWeightsHeader& header, std::string bytes) {
  if (header.weights_bytes() != bytes.size()) {
    return absl::InvalidArgumentError(absl::StrCat("header.weights_bytes is ",
                                                   header.weights_bytes(), ", but the chunks have ",
                                                   bytes.size(), " bytes together"));
  }
  if (const std::string digest = DigestOf(bytes); header.digest() != digest) {
    return absl::InvalidArgumentError(
        absl::StrCat("header.digest is \"", header.digest(), "\", but the chunks have ", digest,
                     ": the XXH3-128 of all of them, 32 lower-case hex digits"));
  }
  MIXFEED_ASSIGN_OR_RETURN(StateDict weights, StateDict::Parse(std::move(bytes)));
  return std::move(weights).WithoutWrapperPrefixes();
}

// Adds the average up to the version to it.
absl::Status AddEma(const PushBase::Ema& base, PushedVersion* made) {
  ModelVersion& version = made->version;
  const GuessModel& newest = *version.pushed.loaded;
  MIXFEED_ASSIGN_OR_RETURN(made->ema, newest.Average(base.average, base.decay));
  MIXFEED_ASSIGN_OR_RETURN(const StateDict average, StateDict::Parse(made->ema));
  KeptWeights kept{.digest = DigestOf(made->ema),
                   .bytes = static_cast<int64_t>(made->ema.size()),
                   .loaded = nullptr};
  MIXFEED_ASSIGN_OR_RETURN(
      kept.loaded, newest.WithWeights(average, /*whole=*/true,
                                      static_cast<int64_t>(version.version), version.update));
  version.ema = std::move(kept);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PushedVersion> MakePushedVersion(const v1::PushWeightsHeader& header,
                                                std::string safetensors, const PushBase& base) {
  MIXFEED_ASSIGN_OR_RETURN(StateDict weights, ReadPushed(header, std::move(safetensors)));
  PushedVersion made;
  made.version.version = base.version;
  made.version.update = static_cast<int64_t>(header.update());
  MIXFEED_ASSIGN_OR_RETURN(
      std::shared_ptr<GuessModel> loaded,
      base.replaced.WithWeights(weights, !header.partial(), static_cast<int64_t>(base.version),
                                made.version.update));
  // Whole weights in the model's own types, as the form's libraries write them, are what the model
  // would give: it takes milliseconds to write or copy them.
  if (loaded->info().weights == header.digest()) {
    made.pushed = std::move(weights).TakeBytes();
  } else {
    MIXFEED_ASSIGN_OR_RETURN(made.pushed, loaded->Weights());
  }
  made.version.pushed = {.digest = loaded->info().weights,
                         .bytes = static_cast<int64_t>(made.pushed.size()),
                         .loaded = loaded};
  if (base.ema.has_value()) MIXFEED_RETURN_IF_ERROR(AddEma(*base.ema, &made));
  made.stored = StoredOf(header.model(), made.version);
  return made;
}

StoredWeights StoredOf(const std::string& model, const ModelVersion& version) {
  StoredWeights stored{.model = model,
                       .version = version.version,
                       .update = version.update,
                       .pushed = {version.pushed.digest, version.pushed.bytes},
                       .ema = {}};
  if (version.ema) stored.ema = {version.ema->digest, version.ema->bytes};
  return stored;
}

std::optional<ModelVersion> VersionOf(const StoredWeights& stored, bool with_ema) {
  if (stored.pushed.digest.empty() || stored.ema.digest.empty() == with_ema) return std::nullopt;
  const auto kept = [](const StoredFile& file) {
    return KeptWeights{.digest = file.digest, .bytes = file.bytes, .loaded = nullptr};
  };
  ModelVersion version{.version = stored.version,
                       .update = stored.update,
                       .pushed = kept(stored.pushed),
                       .ema = std::nullopt};
  if (with_ema) version.ema = kept(stored.ema);
  return version;
}

}  // namespace mixfeed
