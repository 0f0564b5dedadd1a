#include "client/train/publisher.h"

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/weights/state_dict.h"
#include "client/look/models.h"

namespace mixfeed {
namespace {

constexpr int kAttempts = 5;

// The connection broke before the answer came; the push may have arrived.
bool IsLost(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Publisher>> Publisher::Attach(FeedClient* client,
                                                             const PublisherOptions& options,
                                                             const std::string& weights,
                                                             uint64_t update) {
  std::unique_ptr<Publisher> publisher(new Publisher(client, options));
  absl::Status known = publisher->Refresh();
  if (absl::IsNotFound(known)) known = publisher->Register();
  MIXFEED_RETURN_IF_ERROR(known);
  const auto found = publisher->digests_.find(update);
  const bool same = found != publisher->digests_.end() && found->second == DigestOf(weights);
  if (same && (update > 0 || publisher->update_ == 0)) return publisher;
  if (update > 0 || options.rewind) {
    MIXFEED_RETURN_IF_ERROR(publisher->PushNow(weights, DigestOf(weights), update));
    publisher->averages_anew_ = update > 0 && options.ema_decay > 0;
    return publisher;
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "model: ", options.model, " at the server has weights of update ", publisher->update_,
      ", and this training begins at 0 with those of --init-seed ", options.init_seed,
      "; --resume goes on from a checkpoint, another --model (or --run) begins beside it, "
      "--rewind goes back over it"));
}

absl::Status Publisher::Register() {
  v1::RegisterModelHeader header;
  header.set_name(options_.model);
  header.set_kind(options_.network);
  header.set_classes(options_.classes);
  *header.mutable_image() = options_.image;
  header.mutable_normalisation()->set_name(options_.normalisation);
  header.set_init_seed(options_.init_seed);
  header.set_ema_decay(options_.ema_decay);
  MIXFEED_ASSIGN_OR_RETURN(const auto response, client_->RegisterModel(header, ""));
  TakeOver(response.model());
  return absl::OkStatus();
}

absl::Status Publisher::CheckModel(const v1::Model& model) const {
  const bool averages = options_.ema_decay > 0;  // else the feed does not ask for the average
  const auto text = [averages](const std::string& kind, uint32_t classes,
                               const v1::ImageShape& image, const std::string& normalisation,
                               double ema_decay) {
    return absl::StrCat(kind, " for ", classes, " classes of ", ImageText(image),
                        ", normalised as ", normalisation,
                        averages ? absl::StrCat(", averaged with a decay of ", ema_decay) : "");
  };
  const std::string there = text(model.kind(), model.classes(), model.image(),
                                 model.normalisation().name(), model.ema_decay());
  const std::string here = text(options_.network, options_.classes, options_.image,
                                options_.normalisation, options_.ema_decay);
  if (there == here) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("model: ", options_.model, " at the server is ",
                                                 there, "; this training's is ", here));
}

absl::Status Publisher::Refresh() {
  MIXFEED_ASSIGN_OR_RETURN(const auto models, client_->ListModels());
  for (const v1::Model& model : models.models()) {
    if (model.name() != options_.model) continue;
    MIXFEED_RETURN_IF_ERROR(CheckModel(model));
    TakeOver(model);
    return absl::OkStatus();
  }
  return absl::NotFoundError(absl::StrCat("model: the server has no ", options_.model));
}

void Publisher::TakeOver(const v1::Model& model) {
  version_ = model.version();
  update_ = model.update();
  digests_.clear();
  for (const v1::ModelVersion& version : model.versions()) {
    digests_[version.update()] = version.weights();
  }
  digests_[model.update()] = model.weights();
  // Where a trainer went back, what it left is of no course any more.
  digests_.erase(digests_.upper_bound(update_), digests_.end());
}

absl::Status Publisher::Push(const std::string& weights, uint64_t update) {
  if (update % options_.push_every != 0) return absl::OkStatus();
  const std::string digest = DigestOf(weights);
  const auto found = digests_.find(update);
  if (update <= update_ && found != digests_.end() && found->second == digest) {
    return absl::OkStatus();
  }
  return PushNow(weights, digest, update);
}

absl::Status Publisher::PushNow(const std::string& weights, const std::string& digest,
                                uint64_t update) {
  const auto found = digests_.find(update);
  const bool over_others = found != digests_.end() && found->second != digest;
  absl::Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    v1::PushWeightsHeader header;
    header.set_model(options_.model);
    header.set_update(update);
    header.set_replaces(version_);
    header.set_push_every(options_.push_every);
    header.set_rewind(update <= update_);
    const auto response = client_->PushWeights(header, weights);
    if (response.ok()) {
      ++pushed_;
      if (over_others) ++rewound_;
      version_ = response->model().version();
      update_ = update;
      digests_.erase(digests_.lower_bound(update), digests_.end());
      digests_[update] = digest;
      return absl::OkStatus();
    }
    status = response.status();
    if (!IsLost(status)) return status;
    const uint64_t replaced = version_;
    MIXFEED_RETURN_IF_ERROR(Refresh());  // waits for the server
    if (update_ == update && digests_[update] == digest) {
      ++pushed_;
      return absl::OkStatus();
    }
    if (version_ != replaced) {
      return absl::AbortedError(absl::StrCat("model: another trainer has pushed version ", version_,
                                             " of ", options_.model, ", of update ", update_));
    }
  }
  return status;
}

}  // namespace mixfeed
