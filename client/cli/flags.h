#ifndef MIXFEED_CLIENT_CLI_FLAGS_H_
#define MIXFEED_CLIENT_CLI_FLAGS_H_

#include <google/protobuf/descriptor.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/console.h"
#include "client/feed_client.h"

namespace CLI {
class App;
}  // namespace CLI

namespace mixfeed {

// Groups of flags that several subcommands have in common. AddTo adds them to a subcommand; the
// values are there when it runs.

// A check for CLI11: a number from `low` to `high`. Unlike CLI::Range it refuses NaN.
std::function<std::string(const std::string&)> InRange(double low, double high);

// Which server, how, and in which form to answer.
struct ServerFlags {
  std::string server = ConnectOptions().server;
  TlsFiles tls;
  double wait_seconds = 30;
  bool json = false;

  void AddTo(CLI::App* app);
  ConnectOptions Options() const;
  absl::StatusOr<std::unique_ptr<FeedClient>> Connect() const;
};

// Which feed: a spec from a file, overridden flag by flag, and a run.
class SpecFlags {
 public:
  void AddTo(CLI::App* app);
  // InvalidArgument: a --spec file that cannot be read or is no FeedSpec.
  absl::StatusOr<v1::FeedSpec> Spec() const;
  const std::string& run() const { return run_; }

 private:
  std::map<std::string, std::string> values_;  // by flag; only those that were given are not empty
  std::vector<std::string> fields_;            // --set
  std::string spec_file_;
  std::string run_;
};

// What the pixels are to be.
struct FormatFlags {
  std::string type = "float32";
  std::string layout = "nchw";
  std::string normalise;
  std::string targets = "soft";

  // Heads of the flags in --help. Commands that send no pixels take them too, so that one set of
  // flags serves all commands of a feed.
  static constexpr char kUsed[] = "Pixels";
  static constexpr char kUnused[] = "Pixels (as pull takes them; they change nothing here)";

  void AddTo(CLI::App* app, const char* head = kUsed);
  v1::PixelFormat Format() const;
};

// A connection and the feed that the flags name on it.
struct FeedConnection {
  std::unique_ptr<FeedClient> client;
  std::unique_ptr<Feed> feed;
};
// While the server builds the feed's neighbour index, this waits for it, with a bar on a terminal.
absl::StatusOr<FeedConnection> OpenFeed(const ServerFlags& server, const SpecFlags& spec,
                                        Console* console);

// A protobuf enum's value as people write it: ROUND_ROBIN is "round-robin".
std::string EnumText(const google::protobuf::EnumValueDescriptor& value);
// All texts of an enum but its "unspecified", in order.
std::vector<std::string> EnumTexts(const google::protobuf::EnumDescriptor& type);
// The number of a text of EnumTexts.
int EnumNumber(const google::protobuf::EnumDescriptor& type, const std::string& text);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_CLI_FLAGS_H_
