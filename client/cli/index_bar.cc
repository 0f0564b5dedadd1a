#include "client/cli/index_bar.h"

#include <chrono>

#include "absl/strings/str_format.h"

namespace mixfeed {
namespace {

constexpr std::chrono::milliseconds kInterval(300);

bool BuildsIndex(FeedClient* client) {
  const auto info = client->GetServerInfo();
  return info.ok() && info->neighbour_builds_size() > 0;
}

}  // namespace

IndexBar::IndexBar(FeedClient* client, Console* console) : client_(client), progress_(console, 1) {
  if (console->terminal) thread_ = std::thread([this] { Watch(); });
}

IndexBar::~IndexBar() {
  done_.Cancel();
  if (thread_.joinable()) thread_.join();
}

void IndexBar::Watch() {
  do {
    const auto info = client_->GetServerInfo();
    if (!info.ok()) continue;
    for (const v1::NeighbourBuild& build : info->neighbour_builds()) {
      progress_.Show(build.done(), absl::StrFormat("the %d nearest of %d images of %s, %.0f %%",
                                                   build.neighbours(), build.images(),
                                                   build.dataset(), 100 * build.done()));
    }
  } while (!done_.WaitUntil(std::chrono::steady_clock::now() + kInterval));
}

absl::StatusOr<std::unique_ptr<Feed>> OpenWhenBuilt(FeedClient* client, const v1::FeedSpec& spec,
                                                    const std::string& run) {
  auto feed = client->OpenFeed(spec, run);
  while (absl::IsUnavailable(feed.status()) && BuildsIndex(client)) {
    feed = client->OpenFeed(spec, run);
  }
  return feed;
}

}  // namespace mixfeed
