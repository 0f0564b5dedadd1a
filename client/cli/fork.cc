#include <CLI/CLI.hpp>

#include "augment/base/status_macros.h"
#include "client/cli/command.h"
#include "client/cli/flags.h"
#include "client/look/json.h"

namespace mixfeed {
namespace {

class Fork final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    app->add_option("FEED", feed_id_, "the feed's id, as `mixfeed info` lists it")->required();
    app->add_option("--step", step_, "the first step that the new run guesses itself, from 0 up")
        ->required()
        ->check(WholeFrom(0));
    app->add_option("--run", run_, "the new run's name")->required();
    app->add_option(
        "--model", model_,
        "the model that guesses the new run's steps, for a trainer beside the first one "
        "(default: the feed's)");
    server_.AddTo(app);
  }

  absl::Status Run(Console* console) override {
    MIXFEED_ASSIGN_OR_RETURN(const auto client, server_.Connect());
    MIXFEED_ASSIGN_OR_RETURN(const auto feed, client->ForkRun(feed_id_, step_, run_, model_));
    if (server_.json) {
      console->out << Dump(ToJson(feed)) << '\n';
    } else {
      console->out << "feed " << feed.feed_id() << "\nrun " << feed.run()
                   << "\nshares the guesses of the steps below " << step_ << " with feed "
                   << feed_id_ << '\n';
    }
    return absl::OkStatus();
  }

 private:
  ServerFlags server_;
  std::string feed_id_;
  uint64_t step_ = 0;
  std::string run_;
  std::string model_;
};

}  // namespace

std::unique_ptr<Command> MakeFork() { return std::make_unique<Fork>(); }

}  // namespace mixfeed
