#include <CLI/CLI.hpp>
#include <chrono>
#include <utility>

#include "augment/base/status_macros.h"
#include "client/cli/command.h"
#include "client/cli/files.h"
#include "client/cli/find_feed.h"
#include "client/cli/flags.h"
#include "client/look/guess_summary.h"
#include "client/look/guess_view.h"
#include "client/look/json.h"

namespace mixfeed {
namespace {

// GetGuessStatsRequest.validate.
constexpr uint64_t kMostValidated = 16;
constexpr double kShortestInterval = 0.1;
constexpr double kLongestInterval = 3600;

// Which feed's guesses, and what to do with them besides printing.
class GuessFlags {
 public:
  explicit GuessFlags(uint32_t validate) : validate_(validate) {}

  void AddTo(CLI::App* app) {
    choice_.AddTo(app);
    app->add_option("--validate", validate_,
                    "versions to try on the validation slice now, 0..16: the newest that were not "
                    "tried yet. Each takes the model's time for up to 256 images")
        ->check(WholeInRange(0, kMostValidated))
        ->capture_default_str();
    app->add_option("--png", png_, "draw the figure too")->check(CheckPngName)->type_name("FILE");
    server_.AddTo(app);
  }

  // FeedChoice::Find.
  absl::StatusOr<std::string> FindFeed(FeedClient* client) const { return choice_.Find(client); }

  absl::StatusOr<v1::GetGuessStatsResponse> Get(FeedClient* client,
                                                const std::string& feed_id) const {
    return client->GetGuessStats(feed_id, validate_);
  }

  absl::Status Draw(const v1::GetGuessStatsResponse& stats) const {
    MIXFEED_ASSIGN_OR_RETURN(const GuessPicture shown, PictureOf(stats));
    MIXFEED_ASSIGN_OR_RETURN(const Picture picture, DrawFigure(MakeGuessFigure(shown)));
    return WriteFile("--png", png_, picture.png);
  }

  const ServerFlags& server() const { return server_; }
  const std::string& png() const { return png_; }

 private:
  ServerFlags server_;
  FeedChoice choice_{FeedKind::kGuessing};
  std::string png_;
  uint32_t validate_;
};

class ModelStats final : public Command {
 public:
  void AddFlags(CLI::App* app) override { flags_.AddTo(app); }

  absl::Status Run(Console* console) override {
    MIXFEED_ASSIGN_OR_RETURN(const auto client, flags_.server().Connect());
    MIXFEED_ASSIGN_OR_RETURN(const std::string feed_id, flags_.FindFeed(client.get()));
    MIXFEED_ASSIGN_OR_RETURN(const auto stats, flags_.Get(client.get(), feed_id));
    flags_.server().Print(LookAtGuesses(stats), console);
    return flags_.png().empty() ? absl::OkStatus() : flags_.Draw(stats);
  }

 private:
  GuessFlags flags_{/*validate=*/8};
};

class ModelWatch final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    app->add_option("--interval", interval_seconds_, "from one look to the next; 0.1..3600")
        ->check(InRange(kShortestInterval, kLongestInterval))
        ->type_name("SECONDS")
        ->capture_default_str();
    app->add_option("--count", count_, "looks; 0: until Ctrl-C")
        ->check(WholeFrom(0))
        ->capture_default_str();
    flags_.AddTo(app);
  }

  absl::Status Run(Console* console) override {
    MIXFEED_ASSIGN_OR_RETURN(const auto client, flags_.server().Connect());
    MIXFEED_ASSIGN_OR_RETURN(const std::string feed_id, flags_.FindFeed(client.get()));
    Cancellation uninterrupted;
    Cancellation* const interrupt =
        console->interrupt == nullptr ? &uninterrupted : console->interrupt;
    // Ctrl-C while the server answers or nobody is waiting: the loop sees it.
    const Cancellation::Scope scope(interrupt, [] {});
    const auto interval = std::chrono::duration_cast<std::chrono::steady_clock::duration>(
        std::chrono::duration<double>(interval_seconds_));
    for (uint64_t look = 1; !interrupt->cancelled(); ++look) {
      const auto next = std::chrono::steady_clock::now() + interval;
      MIXFEED_ASSIGN_OR_RETURN(const auto stats, flags_.Get(client.get(), feed_id));
      MIXFEED_RETURN_IF_ERROR(Show(stats, console));
      if (look == count_) break;
      interrupt->WaitUntil(next);
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Show(const v1::GetGuessStatsResponse& stats, Console* console) const {
    // The cursor's home, then whatever is below it.
    constexpr char kClearScreen[] = "\033[H\033[2J";
    if (flags_.server().json) {
      console->out << Dump(ToJson(stats)) << '\n';
    } else if (console->out_terminal) {
      console->out << kClearScreen << GuessScreen(stats);
    } else {
      console->out << GuessLine(stats);
    }
    MIXFEED_RETURN_IF_ERROR(CheckOutput(console->out));
    // Before the first guess there is nothing to draw yet.
    const bool draw = !flags_.png().empty() && !stats.spans().empty();
    return draw ? flags_.Draw(stats) : absl::OkStatus();
  }

  GuessFlags flags_{/*validate=*/1};
  double interval_seconds_ = 5;
  uint64_t count_ = 0;
};

}  // namespace

std::unique_ptr<Command> MakeModelStats() { return std::make_unique<ModelStats>(); }
std::unique_ptr<Command> MakeModelWatch() { return std::make_unique<ModelWatch>(); }

}  // namespace mixfeed
