#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "augment/base/status_macros.h"
#include "client/cli/command.h"
#include "client/cli/flags.h"
#include "client/look/json.h"
#include "client/look/models.h"

namespace mixfeed {
namespace {

void Print(const v1::OpenFeedResponse& feed, std::ostream& out) {
  out << "feed " << feed.feed_id() << "\nrun " << feed.run() << '\n'
      << feed.rows() << " rows a step, " << feed.classes() << " classes, images "
      << ImageText(feed.image()) << ", "
      << (feed.has_steps() ? absl::StrCat(feed.steps(), " steps") : "without end") << '\n'
      << feed.labelled_images() << " labelled, " << feed.unlabelled_images() << " unlabelled, "
      << feed.validation_images() << " held out\n\n"
      << Dump(ToJson(feed.spec()), 2) << '\n';
}

// What the feed guesses with and the server does not have yet.
std::vector<std::string> NotesOfMissing(const v1::Recipe& recipe,
                                        const v1::ListModelsResponse& models) {
  if (recipe.rows() != v1::Recipe::LABELLED_AND_UNLABELLED) return {};
  const std::string& wanted = recipe.guess().model();
  constexpr char kHow[] =
      "there are no batches before `mixfeed model register`, only views, for trainers that guess "
      "themselves";
  if (wanted.empty() && models.models_size() == 0) {
    return {absl::StrCat("recipe.guess.model is empty and no model is registered yet; ", kHow)};
  }
  std::vector<std::string> notes;
  const std::vector<std::string> names = absl::StrSplit(wanted, ',', absl::SkipEmpty());
  for (const std::string& name : names) {
    const bool known = std::ranges::any_of(
        models.models(), [&](const v1::Model& model) { return model.name() == name; });
    if (known) continue;
    notes.push_back(
        absl::StrCat("recipe.guess.model is \"", name, "\", which is not registered yet; ", kHow));
  }
  return notes;
}

class Open final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    spec_.AddTo(app);
    format_.AddTo(app, FormatFlags::kUnused);
    server_.AddTo(app);
  }

  absl::Status Run(Console* console) override {
    MIXFEED_ASSIGN_OR_RETURN(const FeedConnection opened,
                             OpenFeed(server_, spec_, console, FeedPurpose::kTrain));
    // Only a note depends on them.
    const auto models = opened.client->ListModels();
    if (models.ok()) {
      console->Note(NotesOfMissing(opened.feed->info().spec().recipe(), *models));
    }
    if (server_.json) {
      console->out << Dump(ToJson(opened.feed->info())) << '\n';
    } else {
      Print(opened.feed->info(), console->out);
    }
    return absl::OkStatus();
  }

 private:
  ServerFlags server_;
  SpecFlags spec_;
  FormatFlags format_;
};

}  // namespace

std::unique_ptr<Command> MakeOpen() { return std::make_unique<Open>(); }

}  // namespace mixfeed
