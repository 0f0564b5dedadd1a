#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/base/status_macros.h"
#include "client/cli/command.h"
#include "client/cli/flags.h"
#include "client/cli/json.h"
#include "client/consumer_steps.h"

namespace mixfeed {
namespace {

size_t Bytes(const ReceivedBatch& batch) {
  return batch.pixels().size() + batch.targets().size_bytes();
}

std::string JsonLine(const ReceivedBatch& batch) {
  const v1::BatchHeader& header = batch.header();
  Json line;
  line["step"] = header.step();
  line["digest"] = batch.Digest();
  line["rows"] = header.rows();
  line["bytes"] = Bytes(batch);
  line["guess_version"] = header.has_guess() ? Json(header.guess().version()) : Json(nullptr);
  if (header.has_guess()) {
    line["guess_age"] = header.guess().age();
    line["confidence"] = header.guess().confidence();
  }
  return Dump(line);
}

std::string TextLine(const ReceivedBatch& batch) {
  const v1::BatchHeader& header = batch.header();
  std::string line = absl::StrFormat("step %-6d %s  %d rows  %d bytes", header.step(),
                                     batch.Digest(), header.rows(), Bytes(batch));
  if (header.has_guess()) {
    absl::StrAppendFormat(&line, "  guess v%d  confidence %.3f", header.guess().version(),
                          header.guess().confidence());
  }
  return line;
}

// What was received, for the summary.
struct Tally {
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  uint64_t batches = 0;
  uint64_t rows = 0;
  uint64_t bytes = 0;

  void Add(const ReceivedBatch& batch) {
    ++batches;
    rows += batch.header().rows();
    bytes += Bytes(batch);
  }

  std::string Text() const {
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return absl::StrFormat("%d batches, %d images, %.1f MB in %.2f s: %.0f images/s", batches, rows,
                           static_cast<double>(bytes) / 1e6, seconds,
                           static_cast<double>(rows) / seconds);
  }
};

class Pull final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    app->add_option("--steps", steps_, "batches to receive; 0: until the feed ends or Ctrl-C")
        ->capture_default_str();
    app->add_option("--from-step", stream_.from_step, "first step")->capture_default_str();
    app->add_option("--rank", stream_.rank, "which of --world trainers this is, from 0");
    app->add_option("--world", stream_.world, "trainers that share the feed")
        ->check(CLI::PositiveNumber);
    app->add_option("--sharing", sharing_, "who gets which batch")
        ->check(CLI::IsMember(EnumTexts(*v1::OpenStream::Sharing_descriptor())))
        ->type_name("HOW")
        ->capture_default_str();
    app->add_option("--prefetch", stream_.prefetch, "batches on their way at once")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app->add_flag("--get", get_, "ask for each batch by itself instead of streaming");
    spec_.AddTo(app);
    format_.AddTo(app);
    server_.AddTo(app);
  }

  absl::Status Run(Console* console) override {
    stream_.sharing = static_cast<v1::OpenStream::Sharing>(
        EnumNumber(*v1::OpenStream::Sharing_descriptor(), sharing_));
    stream_.format = format_.Format();
    MIXFEED_ASSIGN_OR_RETURN(const FeedConnection opened, OpenFeed(server_, spec_, console));
    return get_ ? RunGet(opened.feed.get(), console) : RunStream(opened.feed.get(), console);
  }

 private:
  using NextBatch = std::function<absl::StatusOr<ReceivedBatch>()>;

  absl::Status RunStream(Feed* feed, Console* console) {
    MIXFEED_ASSIGN_OR_RETURN(const std::unique_ptr<BatchStream> stream, feed->Stream(stream_));
    Cancellation uninterrupted;
    const Cancellation::Scope scope(
        console->interrupt == nullptr ? &uninterrupted : console->interrupt,
        [&stream] { stream->Cancel(); });
    Tally tally;
    const absl::Status status = Receive([&stream] { return stream->Next(); }, console, &tally);
    if (stream->reconnects() > 0) {
      console->err << "mixfeed: connected again " << stream->reconnects() << " times\n";
    }
    return Conclude(status, tally, console);
  }

  absl::Status RunGet(Feed* feed, Console* console) {
    MIXFEED_RETURN_IF_ERROR(CheckRank(stream_));
    ConsumerSteps steps = StepsOf(stream_);
    v1::Share share;
    if (stream_.sharing == v1::OpenStream::SPLIT) {
      share.set_rank(stream_.rank);
      share.set_world(stream_.world);
    }
    const auto next = [&] {
      return feed->GetBatch(std::exchange(steps.next, steps.next + steps.stride), stream_.format,
                            share);
    };
    Tally tally;
    const absl::Status status = Receive(next, console, &tally);
    return Conclude(status, tally, console);
  }

  // Until there are enough, the user has enough, or it fails.
  absl::Status Receive(const NextBatch& next, Console* console, Tally* tally) const {
    while ((steps_ == 0 || tally->batches < steps_) && !console->interrupted()) {
      MIXFEED_ASSIGN_OR_RETURN(const ReceivedBatch batch, next());
      tally->Add(batch);
      console->out << (server_.json ? JsonLine(batch) : TextLine(batch)) << '\n';
      // Flushes, since a script that reads along wants the line when the batch is there.
      MIXFEED_RETURN_IF_ERROR(CheckOutput(console->out));
    }
    return absl::OkStatus();
  }

  // The end of an ordered feed is an error only when it came before the first batch.
  static absl::Status Conclude(const absl::Status& status, const Tally& tally, Console* console) {
    if (tally.batches == 0) return status;
    console->err << "mixfeed: " << tally.Text() << '\n';
    return absl::IsOutOfRange(status) ? absl::OkStatus() : status;
  }

  ServerFlags server_;
  SpecFlags spec_;
  FormatFlags format_;
  StreamOptions stream_;
  std::string sharing_ = "round-robin";
  uint64_t steps_ = 10;
  bool get_ = false;
};

}  // namespace

std::unique_ptr<Command> MakePull() { return std::make_unique<Pull>(); }

}  // namespace mixfeed
