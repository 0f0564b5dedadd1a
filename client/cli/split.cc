#include "client/look/split.h"

#include <CLI/CLI.hpp>

#include "augment/base/status_macros.h"
#include "client/cli/command.h"
#include "client/cli/files.h"
#include "client/cli/flags.h"

namespace mixfeed {
namespace {

class SplitLists final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    app->add_option("--out", out_, "write to this file instead of the standard output")
        ->type_name("FILE");
    spec_.AddTo(app);
    format_.AddTo(app, FormatFlags::kUnused);
    server_.AddTo(app);
  }

  absl::Status Run(Console* console) override {
    MIXFEED_ASSIGN_OR_RETURN(const FeedConnection opened, OpenFeed(server_, spec_, console));
    MIXFEED_ASSIGN_OR_RETURN(const auto split, opened.feed->GetSplit());
    const std::string text = server_.TextOf(LookAtSplit(split));
    if (!out_.empty()) return WriteFile("--out", out_, text);
    console->out << text;
    return absl::OkStatus();
  }

 private:
  ServerFlags server_;
  SpecFlags spec_;
  FormatFlags format_;
  std::string out_;
};

}  // namespace

std::unique_ptr<Command> MakeSplit() { return std::make_unique<SplitLists>(); }

}  // namespace mixfeed
