#include <CLI/CLI.hpp>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/base/status_macros.h"
#include "client/cli/command.h"
#include "client/cli/flags.h"
#include "client/cli/late_note.h"
#include "client/consumer_steps.h"
#include "client/look/json.h"
#include "client/spec/enum_text.h"

namespace mixfeed {
namespace {

template <typename Received>
size_t Bytes(const Received& received) {
  return received.pixels().size() + received.targets().size_bytes();
}

uint32_t ImagesOf(const ReceivedBatch& batch) { return batch.header().rows(); }
uint32_t ImagesOf(const ReceivedViews& views) { return views.header().images(); }

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

// The reader of frames lets no other types pass than there are.
std::string TypeText(v1::PixelType type) { return EnumText(*v1::PixelType_descriptor(), type); }

std::string JsonLine(const ReceivedViews& views) {
  const v1::ViewsHeader& header = views.header();
  Json line;
  line["step"] = header.batch().step();
  line["digest"] = views.Digest();
  line["images"] = header.images();
  line["rows"] = header.batch().rows();
  line["bytes"] = Bytes(views);
  line["type"] = TypeText(header.type());
  line["labelled_rows"] = header.labelled_rows();
  line["unlabelled_rows"] = header.unlabelled_rows();
  line["views"] = header.views();
  line["temperature"] = header.temperature();
  return Dump(line);
}

std::string TextLine(const ReceivedViews& views) {
  const v1::ViewsHeader& header = views.header();
  std::string line = absl::StrFormat("step %-6d %s  %d images  %d bytes  %s  %d labelled",
                                     header.batch().step(), views.Digest(), header.images(),
                                     Bytes(views), TypeText(header.type()), header.labelled_rows());
  if (header.views() > 0) {
    absl::StrAppendFormat(&line, " + %d views of %d unlabelled", header.views(),
                          header.unlabelled_rows());
  }
  return line;
}

// What was received, for the summary.
struct Tally {
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  uint64_t batches = 0;
  uint64_t rows = 0;
  uint64_t bytes = 0;

  template <typename Received>
  void Add(const Received& received) {
    ++batches;
    rows += ImagesOf(received);
    bytes += Bytes(received);
  }

  std::string Text() const {
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return absl::StrFormat("%d batches, %d images, %.1f MB in %.2f s: %.0f images/s", batches, rows,
                           static_cast<double>(bytes) / 1e6, seconds,
                           static_cast<double>(rows) / seconds);
  }
};

// "no batch has come for 3 s"
std::string LateText(const char* what, const Console& console) {
  return absl::StrCat("no ", what, " has come for ",
                      std::chrono::duration<double>(console.patience).count(), " s");
}

// What may be waited for when no batch comes.
std::string WaitNote(const Feed& feed, const Console& console) {
  const v1::Recipe& recipe = feed.info().spec().recipe();
  const v1::Guess::Policy policy = recipe.guess().policy();
  const std::string note = LateText("batch", console);
  if (recipe.rows() != v1::Recipe::LABELLED_AND_UNLABELLED) return note;
  if (policy != v1::Guess::LOCKSTEP && policy != v1::Guess::DELAYED) {
    return absl::StrCat(note, "; the guess model may be slow, or away");
  }
  return absl::StrCat(note, "; with the policy ", EnumText(*v1::Guess::Policy_descriptor(), policy),
                      " a step waits until a trainer has pushed the weights of its update "
                      "(`mixfeed model list` shows the model's), for as long as the server's "
                      "--weights-wait-ms");
}

class Pull final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    app->add_option("--steps", steps_, "batches to receive; 0: until the feed ends or Ctrl-C")
        ->check(WholeFrom(0))
        ->capture_default_str();
    app->add_option("--from-step", stream_.from_step, "first step, from 0 up")
        ->check(WholeFrom(0))
        ->capture_default_str();
    app->add_option("--rank", stream_.rank, "which of --world trainers this is, from 0")
        ->check(WholeInRange(0, UINT32_MAX));
    app->add_option("--world", stream_.world, "trainers that share the feed")
        ->check(WholeInRange(1, UINT32_MAX));
    app->add_option("--sharing", sharing_, "who gets which batch")
        ->check(CLI::IsMember(EnumTexts(*v1::OpenStream::Sharing_descriptor())))
        ->type_name("HOW")
        ->capture_default_str();
    app->add_option("--prefetch", stream_.prefetch, "batches on their way at once")
        ->check(WholeInRange(1, UINT32_MAX))
        ->capture_default_str();
    app->add_flag("--get", get_, "ask for each batch by itself instead of streaming")
        ->excludes(app->get_option("--prefetch"));
    CLI::Option* const unmixed = app->add_flag(
        "--unmixed", unmixed_,
        "ask for each step's images as they are before guess and mixing, for trainers that guess "
        "themselves; no model guesses, and the server says the pixel type");
    spec_.AddTo(app);
    format_.AddTo(app);
    for (const char* of_batches :
         {"--sharing", "--prefetch", "--get", "--format", "--layout", "--targets", "--normalise"}) {
      unmixed->excludes(app->get_option(of_batches));
    }
    server_.AddTo(app);
  }

  absl::Status Run(Console* console) override {
    stream_.sharing = static_cast<v1::OpenStream::Sharing>(
        EnumNumber(*v1::OpenStream::Sharing_descriptor(), sharing_));
    stream_.format = format_.Format();
    MIXFEED_ASSIGN_OR_RETURN(const FeedConnection opened, OpenFeed(server_, spec_, console));
    if (unmixed_) return RunViews(opened.feed.get(), console);
    return get_ ? RunGet(opened.feed.get(), console) : RunStream(opened.feed.get(), console);
  }

 private:
  absl::Status RunStream(Feed* feed, Console* console) {
    MIXFEED_ASSIGN_OR_RETURN(const std::unique_ptr<BatchStream> stream, feed->Stream(stream_));
    Cancellation uninterrupted;
    const Cancellation::Scope scope(
        console->interrupt == nullptr ? &uninterrupted : console->interrupt,
        [&stream] { stream->Cancel(); });
    Tally tally;
    const absl::Status status =
        Receive([&stream] { return stream->Next(); }, WaitNote(*feed, *console), console, &tally);
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
    return ReceiveEach(next, WaitNote(*feed, *console), console);
  }

  absl::Status RunViews(Feed* feed, Console* console) {
    MIXFEED_RETURN_IF_ERROR(CheckRank(stream_));
    ConsumerSteps steps = StepsOf(stream_);
    const auto next = [&] {
      return feed->GetViews(std::exchange(steps.next, steps.next + steps.stride));
    };
    return ReceiveEach(next, LateText("answer", *console), console);
  }

  // What is asked for one by one. Ctrl-C ends it with the answer that is waited for.
  template <typename Next>
  absl::Status ReceiveEach(const Next& next, const std::string& late, Console* console) const {
    Cancellation uninterrupted;
    const Cancellation::Scope scope(
        console->interrupt == nullptr ? &uninterrupted : console->interrupt, [] {});
    Tally tally;
    const absl::Status status = Receive(next, late, console, &tally);
    return Conclude(status, tally, console);
  }

  // Until there are enough, the user has enough, or it fails. `late`: LateNote's.
  template <typename Next>
  absl::Status Receive(const Next& next, const std::string& late, Console* console,
                       Tally* tally) const {
    LateNote note(console, late);
    while ((steps_ == 0 || tally->batches < steps_) && !console->interrupted()) {
      MIXFEED_ASSIGN_OR_RETURN(const auto received, next());
      note.Came();
      tally->Add(received);
      console->out << (server_.json ? JsonLine(received) : TextLine(received)) << '\n';
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
  bool unmixed_ = false;
};

}  // namespace

std::unique_ptr<Command> MakePull() { return std::make_unique<Pull>(); }

}  // namespace mixfeed
