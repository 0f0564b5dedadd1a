#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
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
