#include "client/look/report.h"

#include <CLI/CLI.hpp>
#include <string>

#include "augment/base/status_macros.h"
#include "client/cli/command.h"
#include "client/cli/find_feed.h"
#include "client/cli/flags.h"

namespace mixfeed {
namespace {

class Report final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    choice_.AddTo(app);
    server_.AddTo(app);
  }

  absl::Status Run(Console* console) override {
    MIXFEED_ASSIGN_OR_RETURN(const auto client, server_.Connect());
    MIXFEED_ASSIGN_OR_RETURN(const std::string feed_id, choice_.Find(client.get()));
    MIXFEED_ASSIGN_OR_RETURN(const Look look, LookAtRun(client.get(), feed_id));
    server_.Print(look, console);
    return absl::OkStatus();
  }

 private:
  ServerFlags server_;
  FeedChoice choice_{FeedKind::kTraining};
};

}  // namespace

std::unique_ptr<Command> MakeReport() { return std::make_unique<Report>(); }

}  // namespace mixfeed
