#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/base/status_macros.h"
#include "client/cli/command.h"
#include "client/cli/flags.h"
#include "client/cli/local_server.h"
#include "client/look/json.h"
#include "client/look/text_table.h"

namespace mixfeed {
namespace {

using Clock = std::chrono::steady_clock;

// Rounds begin this many steps apart, so that none meets steps that an earlier one had made ahead
// or has the guesses of in the journal.
constexpr uint64_t kStepsBetweenRounds = 10'000'000;
constexpr char kOwnModel[] = "bench";

constexpr double kShortestSeconds = 0.01;
constexpr double kLongestSeconds = 60;

// The generated dataset takes seconds to draw, so it is kept between runs; nothing else is. Empty
// where there is no place for it.
std::string CacheDir() {
  // NOLINTBEGIN(concurrency-mt-unsafe): nothing here sets the environment once threads run
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  // NOLINTEND(concurrency-mt-unsafe)
  if (cache != nullptr && *cache != '\0') return absl::StrCat(cache, "/mixfeed");
  return home == nullptr ? "" : absl::StrCat(home, "/.cache/mixfeed");
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  if (values.size() % 2 == 1) return values[middle];
  return (values[middle - 1] + values[middle]) / 2;
}

bool Guesses(const v1::OpenFeedResponse& feed) { return feed.rows() > feed.spec().batch(); }

// Rates in images a second, one a round.
struct Rounds {
  std::vector<double> wire;
  std::vector<double> fresh;
  std::vector<double> forward;  // views through the bare model; recipes that guess only
};

struct Result {
  double wire = 0;
  double fresh = 0;
  double ratio = 0;
  std::optional<double> forward;
  std::optional<double> guess_ratio;
};

// Unlabelled views of finished batches a second, against views through the model alone.
Result Summarise(const Rounds& rounds, const v1::OpenFeedResponse& feed) {
  Result result;
  result.wire = Median(rounds.wire);
  result.fresh = Median(rounds.fresh);
  result.ratio = result.fresh / result.wire;
  if (rounds.forward.empty()) return result;
  const double guessed = static_cast<double>(feed.rows() - feed.spec().batch()) / feed.rows();
  result.forward = Median(rounds.forward);
  result.guess_ratio = result.fresh * guessed / *result.forward;
  return result;
}

class Bench final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    app->add_option("--seconds", seconds_, "length of each measurement, 0.01..60")
        ->check(InRange(kShortestSeconds, kLongestSeconds))
        ->capture_default_str();
    app->add_option("--rounds", rounds_, "measurements of each kind, in turn; medians are shown")
        ->check(WholeInRange(1, INT32_MAX))
        ->capture_default_str();
    app->add_option("--prefetch", prefetch_, "batches on their way at once")
        ->check(WholeInRange(1, UINT32_MAX))
        ->capture_default_str();
    AddOwnServerFlags(app);
    spec_.AddTo(app);
    format_.AddTo(app);
    server_.AddTo(app);
    server_given_ = app->get_option("--server");
    app->final_callback([this] { RefuseTwoServers(); });
  }

  absl::Status Run(Console* console) override {
    std::unique_ptr<LocalServer> own;
    if (server_given_->count() == 0) {
      MIXFEED_ASSIGN_OR_RETURN(own, LocalServer::Start(ServerProgram(), ServerArgs()));
      server_.server = own->address();
    }
    MIXFEED_ASSIGN_OR_RETURN(const FeedConnection opened, OpenFeed(server_, spec_, console));
    MIXFEED_ASSIGN_OR_RETURN(const Rounds rounds, Measure(opened.feed.get(), console));
    // A run that began for this has no other trainers, and nobody will ask for it again.
    if (spec_.run().empty()) MIXFEED_RETURN_IF_ERROR(opened.feed->Close());
    const Result result = Summarise(rounds, opened.feed->info());
    if (server_.json) {
      PrintJson(result, opened.feed->info(), console->out);
    } else {
      PrintText(result, opened.feed->info(), console->out);
    }
    return absl::OkStatus();
  }

 private:
  void AddOwnServerFlags(CLI::App* app) {
    const auto add = [&](const char* name, auto* value, const char* help) {
      own_server_flags_.push_back(app->add_option(name, *value, help)
                                      ->capture_default_str()
                                      ->group("Own server (without --server)"));
      return own_server_flags_.back();
    };
    add("--data", &data_, "its dataset, as mixfeed-server takes it")
        ->type_name("[NAME=]DIR|generated");
    add("--state-dir", &state_dir_, "where it keeps feeds and guesses; default: nowhere")
        ->type_name("DIR");
    add("--threads", &threads_, "its render threads; 0: one a core")
        ->check(WholeInRange(0, INT32_MAX));
    add("--guess-threads", &guess_threads_, "threads of the guess model; 0: as --threads")
        ->check(WholeInRange(0, INT32_MAX));
    add("--device", &device_, "cpu, cuda[:N] or auto");
    add("--guess-kind", &guess_kind_, "built-in network that guesses, freshly made");
    add("--server-program", &program_, "default: the mixfeed-server beside mixfeed")
        ->type_name("FILE");
  }

  // What is given for a server of our own would silently change nothing about another.
  void RefuseTwoServers() const {
    if (server_given_->count() == 0) return;
    for (const CLI::Option* flag : own_server_flags_) {
      if (flag->count() == 0) continue;
      throw CLI::ValidationError(absl::StrCat(
          flag->get_name(), " is for a server that bench starts",
          " itself, but --server or MIXFEED_SERVER names ", server_.server, ": give one of them"));
    }
  }

  std::string ServerProgram() const { return program_.empty() ? SiblingServerProgram() : program_; }

  std::vector<std::string> ServerArgs() const {
    std::vector<std::string> args = {"--data",          data_,
                                     "--device",        device_,
                                     "--threads",       absl::StrCat(threads_),
                                     "--guess-threads", absl::StrCat(guess_threads_),
                                     "--model",         absl::StrCat(kOwnModel, "=", guess_kind_)};
    const std::pair<const char*, std::string> folders[] = {{"--state-dir", state_dir_},
                                                           {"--cache-dir", CacheDir()}};
    for (const auto& [flag, folder] : folders) {
      if (!folder.empty()) args.insert(args.end(), {flag, folder});
    }
    return args;
  }

  absl::StatusOr<Rounds> Measure(Feed* feed, Console* console) const {
    const bool guesses = Guesses(feed->info());
    Progress progress(console, rounds_ * (guesses ? 3 : 2));
    Rounds rounds;
    for (int round = 0; round < rounds_; ++round) {
      const std::string of = absl::StrCat(" ", round + 1, " of ", rounds_);
      progress.Begin(absl::StrCat("ready-made batches", of));
      MIXFEED_ASSIGN_OR_RETURN(const double wire, MeasureStream(feed, round, /*repeat=*/true));
      rounds.wire.push_back(wire);
      progress.Begin(absl::StrCat("fresh batches", of));
      MIXFEED_ASSIGN_OR_RETURN(const double fresh, MeasureStream(feed, round, /*repeat=*/false));
      rounds.fresh.push_back(fresh);
      if (!guesses) continue;
      progress.Begin(absl::StrCat("bare forward passes", of));
      MIXFEED_ASSIGN_OR_RETURN(const auto forward,
                               feed->MeasureForward(static_cast<uint32_t>(seconds_ * 1000)));
      rounds.forward.push_back(forward.images_per_second());
    }
    return rounds;
  }

  // Images a second, from when the first window of batches has come.
  absl::StatusOr<double> MeasureStream(Feed* feed, int round, bool repeat) const {
    StreamOptions options;
    options.from_step = static_cast<uint64_t>(round) * kStepsBetweenRounds;
    options.format = format_.Format();
    options.prefetch = prefetch_;
    options.repeat = repeat;
    MIXFEED_ASSIGN_OR_RETURN(const std::unique_ptr<BatchStream> stream, feed->Stream(options));
    for (uint32_t i = 0; i < prefetch_; ++i) MIXFEED_RETURN_IF_ERROR(stream->Next().status());
    const Clock::time_point start = Clock::now();
    const Clock::time_point end = start + std::chrono::duration_cast<Clock::duration>(
                                              std::chrono::duration<double>(seconds_));
    uint64_t images = 0;
    Clock::time_point now = start;
    while (now < end) {
      MIXFEED_ASSIGN_OR_RETURN(const ReceivedBatch batch, stream->Next());
      images += batch.header().rows();
      now = Clock::now();
    }
    return static_cast<double>(images) / std::chrono::duration<double>(now - start).count();
  }

  void PrintJson(const Result& result, const v1::OpenFeedResponse& feed, std::ostream& out) const {
    Json object;
    object["wire_limit_images_per_second"] = result.wire;
    object["fresh_images_per_second"] = result.fresh;
    object["ratio"] = result.ratio;
    if (result.forward.has_value()) {
      object["bare_forward_images_per_second"] = *result.forward;
      object["guess_ratio"] = *result.guess_ratio;
    }
    object["recipe"] = feed.spec().recipe().preset();
    object["rows"] = feed.rows();
    object["format"] = format_.type;
    object["rounds"] = rounds_;
    object["seconds"] = seconds_;
    out << Dump(object) << '\n';
  }

  void PrintText(const Result& result, const v1::OpenFeedResponse& feed, std::ostream& out) const {
    out << feed.spec().recipe().preset() << ", " << feed.rows() << " rows of " << format_.type
        << ", medians of " << rounds_ << " rounds of " << seconds_ << " s, on "
        << (server_given_->count() == 0 ? "a server of its own" : server_.server) << "\n\n";
    TextTable table({"", "images/s", ""});
    table.Add({"wire limit (one ready-made batch)", absl::StrFormat("%.0f", result.wire), ""});
    table.Add({"fresh batches", absl::StrFormat("%.0f", result.fresh),
               absl::StrFormat("%.2f of the wire limit", result.ratio)});
    if (result.forward.has_value()) {
      table.Add({"bare forward passes", absl::StrFormat("%.0f", *result.forward),
                 absl::StrFormat("guessed views reach %.2f of them", *result.guess_ratio)});
    }
    table.Print(out);
  }

  ServerFlags server_;
  SpecFlags spec_;
  FormatFlags format_;
  CLI::Option* server_given_ = nullptr;
  std::vector<CLI::Option*> own_server_flags_;
  double seconds_ = 2;
  int rounds_ = 3;
  uint32_t prefetch_ = StreamOptions().prefetch;

  std::string data_ = "generated";
  std::string state_dir_;  // empty: a temporary one, removed by the server
  std::string device_ = "auto";
  std::string guess_kind_ = "resnet-small";
  std::string program_;
  int threads_ = 0;
  int guess_threads_ = 0;
};

}  // namespace

std::unique_ptr<Command> MakeBench() { return std::make_unique<Bench>(); }

}  // namespace mixfeed
