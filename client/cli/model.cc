#include "client/cli/model.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "client/cli/command.h"
#include "client/cli/files.h"
#include "client/cli/flags.h"
#include "client/cli/json.h"

namespace mixfeed {
namespace {

class ModelRegister final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    app->add_option("NAME", name_, "what feeds call the model")->required();
    app->add_option("--kind", kind_,
                    "resnet-small or wrn-28-2 (built in; fresh weights without --file), or "
                    "torchscript")
        ->required();
    app->add_option("--file", file_, "TorchScript archive, or the built-in network's weights")
        ->type_name("FILE");
    app->add_option("--update", update_, "the trainer's update count that the weights are of");
    app->add_option("--classes", classes_, "classes; not needed when the server has one dataset");
    app->add_option("--init-seed", init_seed_, "of a built-in network's fresh weights");
    app->add_option("--normalise", normalise_,
                    "what its input is to be: signed (the default), cifar10, imagenet, ...");
    app->add_option("--statistics", statistics_,
                    "of batch norm, that the model must be able to guess with: the step's own "
                    "(batch), or only the model's (running)")
        ->check(CLI::IsMember({"batch", "running"}))
        ->capture_default_str();
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
    header.set_batch_statistics(statistics_ == "batch");
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
  std::string statistics_ = "batch";
};

class ModelList final : public Command {
 public:
  void AddFlags(CLI::App* app) override { server_.AddTo(app); }

  absl::Status Run(Console* console) override {
    MIXFEED_ASSIGN_OR_RETURN(const auto client, server_.Connect());
    MIXFEED_ASSIGN_OR_RETURN(const auto models, client->ListModels());
    if (server_.json) {
      console->out << Dump(ToJson(models)) << '\n';
    } else {
      PrintModels(models.models(), console->out);
    }
    return absl::OkStatus();
  }

 private:
  ServerFlags server_;
};

}  // namespace

std::string ImageText(const v1::ImageShape& image) {
  return absl::StrCat(image.channels(), "x", image.height(), "x", image.width());
}

void PrintModels(const google::protobuf::RepeatedPtrField<v1::Model>& models, std::ostream& out) {
  TextTable table(
      {"model", "version", "kind", "classes", "image", "update", "statistics", "digest"});
  for (const v1::Model& model : models) {
    table.Add({model.name(), absl::StrCat(model.version()), model.kind(),
               absl::StrCat(model.classes()), ImageText(model.image()),
               absl::StrCat(model.update()), model.batch_statistics() ? "batch" : "running",
               model.digest()});
  }
  table.Print(out);
}

std::unique_ptr<Command> MakeModelRegister() { return std::make_unique<ModelRegister>(); }
std::unique_ptr<Command> MakeModelList() { return std::make_unique<ModelList>(); }

}  // namespace mixfeed
