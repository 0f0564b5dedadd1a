#include "client/cli/find_feed.h"

#include <CLI/CLI.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

bool IsOf(const v1::FeedInfo& feed, FeedKind kind) {
  const v1::Recipe::Rows rows = feed.spec().recipe().rows();
  return kind == FeedKind::kGuessing ? rows == v1::Recipe::LABELLED_AND_UNLABELLED
                                     : rows != v1::Recipe::ORDERED;
}

}  // namespace

void FeedChoice::AddTo(CLI::App* app) {
  CLI::Option* const feed =
      app->add_option("--feed", feed_id_, "the feed's id, as `mixfeed info` lists it")
          ->type_name("ID");
  app->add_option("--run", run_,
                  absl::StrCat("the feed's run; needed only where several feeds ",
                               kind_ == FeedKind::kGuessing ? "guess" : "are open"))
      ->excludes(feed);
}

absl::StatusOr<std::string> FeedChoice::Find(FeedClient* client) const {
  if (!feed_id_.empty()) return feed_id_;
  MIXFEED_ASSIGN_OR_RETURN(const auto feeds, client->ListFeeds());
  std::vector<std::string> ids, shown;
  for (const v1::FeedInfo& feed : feeds.feeds()) {
    if (!IsOf(feed, kind_) || (!run_.empty() && run_ != feed.run())) continue;
    ids.push_back(feed.feed_id());
    shown.push_back(absl::StrCat(feed.feed_id(), " (", feed.spec().recipe().preset(), ")"));
  }
  const std::string of_run = run_.empty() ? "" : absl::StrCat(" of run \"", run_, "\"");
  const char* const that = kind_ == FeedKind::kGuessing ? " that guesses" : "";
  if (ids.empty()) {
    return absl::NotFoundError(
        absl::StrCat("no feed", of_run, that, " is open; `mixfeed info` lists what there is"));
  }
  if (ids.size() == 1) return ids[0];
  return absl::FailedPreconditionError(absl::StrCat(
      ids.size(), " feeds", of_run, kind_ == FeedKind::kGuessing ? " guess" : " are open",
      "; choose one with --feed: ", absl::StrJoin(shown, ", ")));
}

}  // namespace mixfeed
