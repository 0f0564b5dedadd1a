#ifndef MIXFEED_CLIENT_CLI_INDEX_BAR_H_
#define MIXFEED_CLIENT_CLI_INDEX_BAR_H_

#include <thread>

#include "client/cancellation.h"
#include "client/cli/console.h"
#include "client/feed_client.h"

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

// Whether the server builds or is about to build an index.
bool BuildsIndex(FeedClient* client);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_CLI_INDEX_BAR_H_
