#ifndef MIXFEED_CLIENT_CLI_FLAGS_H_
#define MIXFEED_CLIENT_CLI_FLAGS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/console.h"
#include "client/feed_client.h"
#include "client/look/look.h"
#include "client/look/unread.h"

namespace CLI {
class App;
}  // namespace CLI

namespace mixfeed {

// Groups of flags that several subcommands have in common. AddTo adds them to a subcommand; the
// values are there when it runs.

// A check for CLI11: a number from `low` to `high`. Unlike CLI::Range it refuses NaN.
std::function<std::string(const std::string&)> InRange(double low, double high);

// Likewise whole numbers, written without leading zeros.
std::function<std::string(const std::string&)> WholeInRange(uint64_t low, uint64_t high);
// Likewise whole numbers without an upper end but their type's.
std::function<std::string(const std::string&)> WholeFrom(uint64_t low);
// Likewise a file that a picture goes to: a name that ends in .png, or a device such as
// /dev/stdout.
std::string CheckPngName(const std::string& path);

// Which server, how, and in which form to answer.
struct ServerFlags {
  std::string server = ConnectOptions().server;
  TlsFiles tls;
  double wait_seconds = 30;
  bool json = false;

  void AddTo(CLI::App* app);
  ConnectOptions Options() const;
  absl::StatusOr<std::unique_ptr<FeedClient>> Connect() const;
  // What is printed of `look`, with a newline: its JSON in one line with --json, else its text.
  std::string TextOf(const Look& look) const;
  void Print(const Look& look, Console* console) const { console->out << TextOf(look); }
};

// Which feed: a spec from a file, overridden flag by flag, and a run.
class SpecFlags {
 public:
  void AddTo(CLI::App* app);
  // InvalidArgument: a --spec file that cannot be read or is no FeedSpec.
  absl::StatusOr<v1::FeedSpec> Spec() const;
  // The fields of `spec`, which is Spec() or what it was resolved to, that flags gave values.
  std::vector<GivenField> Given(const LocalSpec& spec) const;
  // Whether any flag but --run was given.
  bool is_given() const;
  const std::string& run() const { return run_; }

 private:
  bool IsGiven(const std::string& setting) const;

  std::map<std::string, std::string>
      values_;                       // by setting; only those that were given are not empty
  std::vector<std::string> fields_;  // --set
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

// Opens a feed; while the server builds its neighbour index, waits for it, with a bar on a
// terminal.
absl::StatusOr<std::unique_ptr<Feed>> OpenFeed(FeedClient* client, const ServerFlags& server,
                                               const v1::FeedSpec& spec, const std::string& run,
                                               Console* console);

// A connection and the feed that the flags name on it.
struct FeedConnection {
  std::unique_ptr<FeedClient> client;
  std::unique_ptr<Feed> feed;
};
// What a feed is opened for. To look at batches guesses are made with the newest weights, unless
// the spec says otherwise: nobody is there to push those of every update.
enum class FeedPurpose { kLook, kTrain };

// Likewise. Flags whose fields the feed's batches do not depend on are noted on the console's err.
absl::StatusOr<FeedConnection> OpenFeed(const ServerFlags& server, const SpecFlags& spec,
                                        Console* console, FeedPurpose purpose = FeedPurpose::kLook);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_CLI_FLAGS_H_
