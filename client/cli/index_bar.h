#ifndef MIXFEED_CLIENT_CLI_INDEX_BAR_H_
#define MIXFEED_CLIENT_CLI_INDEX_BAR_H_

#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "client/cancellation.h"
#include "client/cli/console.h"
#include "client/feed_client.h"
#include "mixfeed/v1/spec.pb.h"

namespace mixfeed {

// While it lives, shows on a terminal how far the server's neighbour indexes are; nothing when none
// is being built, or on no terminal. Asks the server from a thread of its own.
class IndexBar {
 public:
  // Both must outlive the bar.
  IndexBar(FeedClient* client, Console* console);
  ~IndexBar();
  IndexBar(const IndexBar&) = delete;
  IndexBar& operator=(const IndexBar&) = delete;

 private:
  void Watch();

  FeedClient* const client_;
  Progress progress_;
  Cancellation done_;
  std::thread thread_;
};

// client->OpenFeed(), again and again for as long as the server says that it is building an index.
absl::StatusOr<std::unique_ptr<Feed>> OpenWhenBuilt(FeedClient* client, const v1::FeedSpec& spec,
                                                    const std::string& run);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_CLI_INDEX_BAR_H_
