#include "server/core/model_calls.h"

#include <cstring>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/status_macros.h"
#include "augment/guess/torch_runtime.h"
#include "augment/pool/file_io.h"
#include "augment/recipe/enum_names.h"
#include "server/core/batch_convert.h"
#include "server/kserve/address.h"
#include "server/kserve/kserve_model.h"

namespace mixfeed {
namespace {

// Sets what a header leaves to the server's datasets.
absl::Status Resolve(const DatasetStore& datasets, v1::RegisterModelHeader* header) {
  if (header->classes() != 0 && header->has_image()) return absl::OkStatus();
  MIXFEED_ASSIGN_OR_RETURN(const std::shared_ptr<const Dataset> dataset, datasets.AnyOfOneKind());
  if (header->classes() == 0) header->set_classes(static_cast<uint32_t>(dataset->num_classes()));
  if (!header->has_image()) *header->mutable_image() = ShapeToProto(dataset->shape);
  return absl::OkStatus();
}

}  // namespace

ModelCalls::ModelCalls(const ServerOptions& options, const DatasetStore* datasets,
                       ModelRegistry* models, const FeedRegistry* feeds)
    : may_register_(options.allow_register || IsLoopback(options.listen)),
      max_archive_bytes_(static_cast<uint64_t>(options.max_archive_bytes)),
      datasets_(datasets),
      models_(models),
      feeds_(feeds) {}

absl::Status ModelCalls::CheckMayRegister(const v1::RegisterModelHeader& header) const {
  if (!may_register_) {
    return absl::PermissionDeniedError(
        "registration is off on a public address, since a model is code that the server runs; "
        "start it with --allow-register");
  }
  if (header.archive_bytes() > max_archive_bytes_) {
    return absl::InvalidArgumentError(absl::StrCat("header.archive_bytes is ",
                                                   header.archive_bytes(), "; allowed: at most ",
                                                   max_archive_bytes_, " (--max-archive-bytes)"));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::RegisterModelResponse> ModelCalls::RegisterModel(v1::RegisterModelHeader header,
                                                                    std::string archive,
                                                                    std::stop_token stop) const {
  MIXFEED_RETURN_IF_ERROR(CheckMayRegister(header));
  if (archive.size() != header.archive_bytes()) {
    return absl::InvalidArgumentError(absl::StrCat("header.archive_bytes is ",
                                                   header.archive_bytes(), ", but the chunks have ",
                                                   archive.size(), " bytes together"));
  }
  MIXFEED_RETURN_IF_ERROR(Resolve(*datasets_, &header));
  v1::RegisterModelResponse response;
  MIXFEED_ASSIGN_OR_RETURN(*response.mutable_model(),
                           models_->Register(header, std::move(archive), std::move(stop)));
  return response;
}

absl::Status ModelCalls::CheckMayPush(const v1::PushWeightsHeader& header) const {
  if (header.weights_bytes() > max_archive_bytes_) {
    return absl::InvalidArgumentError(absl::StrCat("header.weights_bytes is ",
                                                   header.weights_bytes(), "; allowed: at most ",
                                                   max_archive_bytes_, " (--max-archive-bytes)"));
  }
  if (header.push_every() <= 1) return absl::OkStatus();
  for (const std::shared_ptr<const OpenedFeed>& feed : feeds_->List()) {
    const Recipe& recipe = feed->spec.recipe;
    if (!recipe.guesses() || !NeedsEveryUpdate(recipe.guess) || !feeds_->IsUsed(*feed)) continue;
    MIXFEED_ASSIGN_OR_RETURN(const std::vector<std::string> names, feeds_->ModelNames(*feed));
    const bool follows = absl::c_any_of(names, [&](const std::string& name) {
      const auto model = models_->Find(name);  // what an empty name means
      return model.ok() && (*model)->info().name == header.model();
    });
    if (!follows) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        "header.push_every is ", header.push_every(), ", but feed ", feed->id, " of run \"",
        feed->run, "\" guesses under recipe.guess.policy ", NameOf(recipe.guess.policy),
        ", which needs the weights of every update; allowed: 1, or open the feed with policy "
        "newest or pinned; a feed that nobody uses any more counts until it is closed or the "
        "server restarts"));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::PushWeightsResponse> ModelCalls::PushWeights(const v1::PushWeightsHeader& header,
                                                                std::string weights,
                                                                std::stop_token stop) const {
  MIXFEED_RETURN_IF_ERROR(CheckMayPush(header));
  v1::PushWeightsResponse response;
  MIXFEED_ASSIGN_OR_RETURN(*response.mutable_model(),
                           models_->Push(header, std::move(weights), std::move(stop)));
  return response;
}

v1::ListModelsResponse ModelCalls::ListModels() const {
  v1::ListModelsResponse response;
  for (v1::Model& model : models_->List()) *response.add_models() = std::move(model);
  return response;
}

absl::Status RegisterAtStart(const std::string& text, const DatasetStore& datasets,
                             ModelRegistry* models) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--model is \"", text, "\"; allowed: NAME=KIND, NAME=FILE or NAME=", kKserveScheme,
        "HOST:PORT/MODEL, where KIND is ", absl::StrJoin(BuiltinNetworks(), " or "),
        " and FILE a TorchScript archive"));
  }
  v1::RegisterModelHeader header;
  header.set_name(text.substr(0, equals));
  std::string archive;
  if (const std::string what = text.substr(equals + 1); IsBuiltinNetwork(what)) {
    header.set_kind(what);
  } else if (absl::StartsWith(what, kKserveScheme)) {
    header.set_kind(kKserveKind);
    header.set_address(what.substr(std::strlen(kKserveScheme)));
  } else {
    MIXFEED_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadWholeFile(what));
    archive.assign(bytes.begin(), bytes.end());
    header.set_kind(kTorchScriptKind);
    header.set_archive_bytes(archive.size());
  }
  MIXFEED_RETURN_IF_ERROR(Resolve(datasets, &header));
  const absl::Status status = models->RegisterOnce(header, std::move(archive)).status();
  if (status.ok()) return status;
  return {status.code(), absl::StrCat("--model ", text, ": ", std::string(status.message()))};
}

}  // namespace mixfeed
