#ifndef MIXFEED_CLIENT_CLI_INDEX_BAR_H_
#define MIXFEED_CLIENT_CLI_INDEX_BAR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "client/cancellation.h"
#include "client/cli/console.h"
#include "client/feed_client.h"
#include "mixfeed/v1/spec.pb.h"

namespace mixfeed {

// The deadline that a client for questions about indexes should have: what they ask about is over
// when the server is gone, and then nobody should wait for the answer.
inline constexpr int64_t kIndexQuestionMs = 2000;

// While it lives, shows on a terminal how far the server's neighbour indexes are; nothing when none
// is being built, or on no terminal. Asks the server from a thread of its own, from the first 300
// ms on.
class IndexBar {
 public:
  // Both must outlive the bar, whose end waits for a question that is under way.
  IndexBar(FeedClient* questions, Console* console);
  ~IndexBar();
  IndexBar(const IndexBar&) = delete;
  IndexBar& operator=(const IndexBar&) = delete;

 private:
  void Watch();

  FeedClient* const questions_;
  Progress progress_;
  Cancellation done_;
  std::thread thread_;
};

// client->OpenFeed(), again and again for as long as the server, asked by `questions`, says that it
// is building an index.
absl::StatusOr<std::unique_ptr<Feed>> OpenWhenBuilt(FeedClient* client, FeedClient* questions,
                                                    const v1::FeedSpec& spec,
                                                    const std::string& run);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_CLI_INDEX_BAR_H_
