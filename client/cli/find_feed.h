#ifndef MIXFEED_CLIENT_CLI_FIND_FEED_H_
#define MIXFEED_CLIENT_CLI_FIND_FEED_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/feed_client.h"

namespace CLI {
class App;
}  // namespace CLI

namespace mixfeed {

// kTraining: all but ordered passes, which evaluate.
enum class FeedKind { kTraining, kGuessing };

// Flags that choose one of the feeds that are open at a server: --feed and --run.
class FeedChoice {
 public:
  explicit FeedChoice(FeedKind kind) : kind_(kind) {}

  void AddTo(CLI::App* app);

  // The id of the feed that is meant: that of --feed, or of the one that is open, of the kind and
  // of --run, where it is given. NotFound, FailedPrecondition: there is none, or more than one.
  absl::StatusOr<std::string> Find(FeedClient* client) const;

 private:
  const FeedKind kind_;
  std::string feed_id_;
  std::string run_;
};

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_CLI_FIND_FEED_H_
