#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "client/cli/command.h"
#include "client/cli/files.h"
#include "client/cli/flags.h"
#include "client/look/json.h"
#include "client/look/models.h"

namespace mixfeed {
namespace {

class ModelRegister final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    app->add_option("NAME", name_, "what feeds call the model")->required();
    app->add_option("--kind", kind_,
                    "resnet-small or wrn-28-2 (built in; fresh weights without --file), "
                    "torchscript, or kserve (a model that another server runs)")
        ->required();
    app->add_option("--file", file_, "TorchScript archive, or the built-in network's weights")
        ->type_name("FILE");
    app->add_option("--address", address_,
                    "of kind kserve: HOST:PORT/MODEL[/VERSION][?output=logits|probabilities]"
                    "[&deadline_ms=N], a server that speaks the KServe v2 protocol over gRPC")
        ->type_name("ADDRESS");
    app->add_option("--update", update_, "the trainer's update count that the weights are of")
        ->check(WholeFrom(0));
    app->add_option("--classes", classes_, "classes; not needed when the server has one dataset")
        ->check(WholeInRange(0, UINT32_MAX));
    app->add_option("--init-seed", init_seed_, "of a built-in network's fresh weights")
        ->check(WholeFrom(0));
    app->add_option("--normalise", normalise_,
                    "what its input is to be: signed (the default), cifar10, imagenet, ...");
    app->add_option("--ema-decay", ema_decay_,
                    "keep a moving average of the weights that are pushed, which feeds can guess "
                    "with (--weights ema): its decay an update, below 1; 0: none")
        ->capture_default_str();
    app->add_option("--statistics", statistics_,
                    "of batch norm, that the model must be able to guess with: the step's own "
                    "(batch, the default but of kind kserve), or only the model's (running)")
        ->check(CLI::IsMember({"batch", "running"}));
    server_.AddTo(app);
  }

  absl::Status Run(Console* console) override {
    std::string archive;  // stays empty for a built-in network with fresh weights
    if (!file_.empty()) {
      MIXFEED_ASSIGN_OR_RETURN(archive, ReadFile("--file", file_));
    }
    MIXFEED_ASSIGN_OR_RETURN(const auto client, server_.Connect());
    MIXFEED_ASSIGN_OR_RETURN(const auto response, client->RegisterModel(Header(), archive));
    const v1::Model& model = response.model();
    if (server_.json) {
      console->out << Dump(ToJson(model)) << '\n';
    } else {
      console->out << "registered " << model.name() << " version " << model.version() << " ("
                   << model.kind() << ", " << model.classes() << " classes of "
                   << ImageText(model.image()) << ", digest " << model.digest() << ")\n";
    }
    return absl::OkStatus();
  }

 private:
  v1::RegisterModelHeader Header() const {
    v1::RegisterModelHeader header;
    header.set_name(name_);
    header.set_kind(kind_);
    header.set_classes(classes_);
    header.set_update(update_);
    header.set_init_seed(init_seed_);
    if (!normalise_.empty()) header.mutable_normalisation()->set_name(normalise_);
    if (kind_ != "kserve" || !statistics_.empty()) {
      header.set_batch_statistics(statistics_ != "running");
    }
    header.set_address(address_);
    header.set_ema_decay(ema_decay_);
    return header;
  }

  ServerFlags server_;
  std::string name_;
  std::string kind_;
  std::string file_;
  std::string normalise_;
  uint64_t update_ = 0;
  uint64_t init_seed_ = 0;
  uint32_t classes_ = 0;
  double ema_decay_ = 0;
  std::string statistics_;
  std::string address_;
};

class ModelPush final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    app->add_option("NAME", name_, "the model")->required();
    app->add_option("--file", file_, "its new weights, in the safetensors form")
        ->required()
        ->type_name("FILE");
    app->add_option("--update", update_, "the trainer's update count that the weights are of")
        ->required()
        ->check(WholeFrom(0));
    app->add_option("--replaces", replaces_, "the version that they replace; default: the newest")
        ->check(WholeFrom(0));
    app->add_flag("--partial", partial_, "the file has only some tensors; the others stay");
    app->add_option("--push-every", push_every_,
                    "declare that a push comes every so many updates; 0: say nothing")
        ->check(WholeInRange(0, UINT32_MAX));
    app->add_flag("--rewind", rewind_, "the trainer went back to an earlier update");
    server_.AddTo(app);
  }

  absl::Status Run(Console* console) override {
    MIXFEED_ASSIGN_OR_RETURN(const std::string weights, ReadFile("--file", file_));
    MIXFEED_ASSIGN_OR_RETURN(const auto client, server_.Connect());
    v1::PushWeightsHeader header;
    header.set_model(name_);
    header.set_update(update_);
    header.set_partial(partial_);
    header.set_rewind(rewind_);
    header.set_push_every(push_every_);
    if (replaces_.has_value()) {
      header.set_replaces(*replaces_);
    } else {
      MIXFEED_ASSIGN_OR_RETURN(const auto models, client->ListModels());
      for (const v1::Model& model : models.models()) {
        if (model.name() == name_) header.set_replaces(model.version());
      }
    }
    MIXFEED_ASSIGN_OR_RETURN(const auto response, client->PushWeights(header, weights));
    const v1::Model& model = response.model();
    if (server_.json) {
      console->out << Dump(ToJson(model)) << '\n';
    } else {
      console->out << model.name() << " guesses with version " << model.version() << ", update "
                   << model.update() << " (weights " << model.weights() << ")\n";
    }
    return absl::OkStatus();
  }

 private:
  ServerFlags server_;
  std::string name_;
  std::string file_;
  uint64_t update_ = 0;
  std::optional<uint64_t> replaces_;
  uint32_t push_every_ = 0;
  bool partial_ = false;
  bool rewind_ = false;
};

class ModelList final : public Command {
 public:
  void AddFlags(CLI::App* app) override { server_.AddTo(app); }

  absl::Status Run(Console* console) override {
    MIXFEED_ASSIGN_OR_RETURN(const auto client, server_.Connect());
    MIXFEED_ASSIGN_OR_RETURN(const auto models, client->ListModels());
    server_.Print(LookAtModels(models), console);
    return absl::OkStatus();
  }

 private:
  ServerFlags server_;
};

}  // namespace

std::unique_ptr<Command> MakeModelRegister() { return std::make_unique<ModelRegister>(); }
std::unique_ptr<Command> MakeModelPush() { return std::make_unique<ModelPush>(); }
std::unique_ptr<Command> MakeModelList() { return std::make_unique<ModelList>(); }

}  // namespace mixfeed
