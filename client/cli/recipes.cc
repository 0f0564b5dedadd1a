#include "client/look/recipes.h"

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "augment/base/status_macros.h"
#include "client/cli/command.h"
#include "client/spec/spec_field.h"

namespace mixfeed {
namespace {

class Recipes final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    app->require_subcommand(0, 1);
    app->add_flag("--json", json_, "print JSON for scripts");
    show_ = app->add_subcommand("show", "The whole spec of one recipe, each field with its source");
    show_->add_option("NAME", names_, "a name of `mixfeed recipes`")->required()->expected(1);
    diff_ = app->add_subcommand("diff", "What differs between two recipes");
    diff_->add_option("NAMES", names_, "two names of `mixfeed recipes`, or one and --set")
        ->required()
        ->expected(1, 2);
    diff_->final_callback([this] {
      if (names_.size() == 1 && edits_.empty()) {
        throw CLI::ValidationError("NAMES: give two, or one and --set");
      }
    });
    for (CLI::App* sub : {show_, diff_}) {
      sub->add_flag("--json", json_, "print JSON for scripts");
      sub->add_option("--set", edits_,
                      "edit the recipe (of diff the last one) first, as a feed would: "
                      "--set recipe.mix.alpha=0.5. Repeat it for several")
          ->type_name("PATH=VALUE")
          ->allow_extra_args(false)
          ->check([](const std::string& text) {
            v1::FeedSpec scratch;
            return SetSpecField(text, &scratch);
          });
    }
  }

  absl::Status Run(Console* console) override {
    MIXFEED_ASSIGN_OR_RETURN(const Look look, MakeLook());
    console->out << (json_ ? Dump(look.json) + "\n" : look.text);
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<Look> MakeLook() const {
    if (names_.empty()) return LookAtRecipes();
    if (show_->parsed()) return LookAtRecipe(names_[0], edits_);
    return CompareRecipes(names_.front(), names_.back(), edits_);
  }

  bool json_ = false;
  std::vector<std::string> names_;
  std::vector<std::string> edits_;
  CLI::App* show_ = nullptr;
  CLI::App* diff_ = nullptr;
};

}  // namespace

std::unique_ptr<Command> MakeRecipes() { return std::make_unique<Recipes>(); }

}  // namespace mixfeed
