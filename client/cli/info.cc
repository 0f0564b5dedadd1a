#include <CLI/CLI.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "client/cli/command.h"
#include "client/cli/flags.h"
#include "client/look/json.h"
#include "client/look/models.h"
#include "client/look/text_table.h"

namespace mixfeed {
namespace {

std::string DatasetImages(const v1::DatasetInfo& dataset) {
  if (!dataset.error().empty()) return "-";
  return absl::StrCat(dataset.train_images(), " + ", dataset.test_images());
}

void PrintDatasets(const v1::GetServerInfoResponse& info, std::ostream& out) {
  TextTable table({"dataset", "images", "size", "classes", "fingerprint"});
  for (const v1::DatasetInfo& dataset : info.datasets()) {
    table.Add({dataset.name(), DatasetImages(dataset), ImageText(dataset.image()),
               absl::StrCat(dataset.class_names_size()),
               dataset.error().empty() ? dataset.fingerprint()
                                       : absl::StrCat("unusable: ", dataset.error())});
  }
  table.Print(out);
}

void PrintFeeds(const v1::ListFeedsResponse& feeds, std::ostream& out) {
  TextTable table({"feed", "run", "recipe", "dataset", "batch", "consumers"});
  for (const v1::FeedInfo& feed : feeds.feeds()) {
    table.Add({feed.feed_id(), feed.run(), feed.spec().recipe().preset(), feed.spec().dataset(),
               absl::StrCat(feed.spec().batch()), absl::StrCat(feed.consumers())});
  }
  table.Print(out);
}

class Info final : public Command {
 public:
  void AddFlags(CLI::App* app) override { server_.AddTo(app); }

  absl::Status Run(Console* console) override {
    MIXFEED_ASSIGN_OR_RETURN(const auto client, server_.Connect());
    MIXFEED_ASSIGN_OR_RETURN(const auto info, client->GetServerInfo());
    MIXFEED_ASSIGN_OR_RETURN(const auto feeds, client->ListFeeds());
    if (server_.json) {
      Json object = ToJson(info);
      object["feeds"] = ToJson(feeds)["feeds"];
      console->out << Dump(object) << '\n';
      return absl::OkStatus();
    }
    Print(info, feeds, console->out);
    return absl::OkStatus();
  }

 private:
  static void Print(const v1::GetServerInfoResponse& info, const v1::ListFeedsResponse& feeds,
                    std::ostream& out) {
    out << "mixfeed-server " << info.version() << " on " << info.device() << "\n\n";
    PrintDatasets(info, out);
    out << '\n';
    PrintModels(info.models(), out);
    out << '\n';
    PrintFeeds(feeds, out);
    out << '\n'
        << info.consumers() << " streams, " << info.batches_made() << " batches made, "
        << info.live_slots() << " in memory (" << info.live_slot_bytes() << " of "
        << info.max_slot_bytes() << " bytes)\n";
    if (info.waiting_batches() > 0) {
      out << info.waiting_batches() << " batches wait for weights that a trainer has yet to push\n";
    }
  }

  ServerFlags server_;
};

}  // namespace

std::unique_ptr<Command> MakeInfo() { return std::make_unique<Info>(); }

}  // namespace mixfeed
