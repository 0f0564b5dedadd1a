#include <CLI/CLI.hpp>

#include "augment/base/status_macros.h"
#include "client/cli/command.h"
#include "client/cli/flags.h"
#include "client/look/plan.h"

namespace mixfeed {
namespace {

class Explain final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    app->add_option("--step", step_, "which batch, from 0 up")
        ->check(WholeFrom(0))
        ->capture_default_str();
    spec_.AddTo(app);
    format_.AddTo(app, FormatFlags::kUnused);
    server_.AddTo(app);
  }

  absl::Status Run(Console* console) override {
    MIXFEED_ASSIGN_OR_RETURN(const FeedConnection opened, OpenFeed(server_, spec_, console));
    MIXFEED_ASSIGN_OR_RETURN(const auto plan, opened.feed->GetPlan(step_));
    server_.Print(LookAtPlan(plan, opened.feed->info()), console);
    return absl::OkStatus();
  }

 private:
  ServerFlags server_;
  SpecFlags spec_;
  FormatFlags format_;
  uint64_t step_ = 0;
};

}  // namespace

std::unique_ptr<Command> MakeExplain() { return std::make_unique<Explain>(); }

}  // namespace mixfeed
