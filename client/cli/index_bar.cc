#include "client/cli/index_bar.h"

#include <chrono>

#include "absl/strings/str_format.h"

namespace mixfeed {
namespace {

constexpr std::chrono::milliseconds kInterval(300);

// An attempt may end at the server's refusal, or at the deadline while the server still waits for
// the index.
bool MayBeBuilding(const absl::Status& opened) {
  return absl::IsUnavailable(opened) || absl::IsDeadlineExceeded(opened);
}

}  // namespace

IndexBar::IndexBar(FeedClient* questions, Console* console)
    : questions_(questions), progress_(console, 1) {
  if (console->terminal) thread_ = std::thread([this] { Watch(); });
}

IndexBar::~IndexBar() {
  done_.Cancel();
  if (thread_.joinable()) thread_.join();
}

void IndexBar::Watch() {
  while (!done_.WaitUntil(std::chrono::steady_clock::now() + kInterval)) {
    const auto info = questions_->GetServerInfo();
    if (!info.ok()) continue;
    for (const v1::NeighbourBuild& build : info->neighbour_builds()) {
      progress_.Show(build.done(), absl::StrFormat("the %d nearest of %d images of %s, %.0f %%",
                                                   build.neighbours(), build.images(),
                                                   build.dataset(), 100 * build.done()));
    }
  }
}

absl::StatusOr<std::unique_ptr<Feed>> OpenWhenBuilt(FeedClient* client, FeedClient* questions,
                                                    const v1::FeedSpec& spec,
                                                    const std::string& run) {
  // One run for all attempts, of which the server may end one after we have given it up.
  const std::string name = run.empty() ? NewRunName() : run;
  auto feed = client->OpenFeed(spec, name);
  for (bool building = true; building && MayBeBuilding(feed.status());) {
    const auto info = questions->GetServerInfo();
    if (!info.ok()) break;
    // Once more after the last index: it may have been finished since the refusal.
    building = info->neighbour_builds_size() > 0;
    feed = client->OpenFeed(spec, name);
  }
  return feed;
}

}  // namespace mixfeed
