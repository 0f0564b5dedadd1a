#include "augment/guess/guesser.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/base/memory.h"
#include "augment/base/status_macros.h"
#include "augment/target/target.h"

namespace mixfeed {
namespace {

constexpr char kRegisterAnother[] = "; register one that fits";

// As many views at once as TorchRuntime has threads for: one is rendered while another is in the
// model, and no more buffers of views than these are held.
constexpr int kViewsAtOnce = 2;

std::string ShapeText(const ImageShape& shape) {
  return absl::StrCat(shape.channels, "x", shape.height, "x", shape.width);
}

absl::Status ValidateRequest(const GuessRequest& request) {
  if (request.rows >= 1 && request.views >= 1 && request.classes >= 1 &&
      request.shape.pixels() >= 1) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "a guess of ", request.rows, " rows, ", request.views, " views, ", request.classes,
      " classes, images of ", ShapeText(request.shape), "; allowed: at least 1 of each"));
}

absl::Status CheckModelFits(const GuessModelInfo& info, const GuessRequest& request) {
  if (info.input != request.shape) {
    return absl::FailedPreconditionError(
        absl::StrCat("guess model ", info.name, " takes images of ", ShapeText(info.input),
                     ", but the dataset's are ", ShapeText(request.shape), kRegisterAnother));
  }
  if (info.classes != request.classes) {
    return absl::FailedPreconditionError(
        absl::StrCat("guess model ", info.name, " knows ", info.classes,
                     " classes, but the dataset has ", request.classes, kRegisterAnother));
  }
  return absl::OkStatus();
}

absl::Status CheckJournalFits(const StepGuess& guess, const GuessRequest& request) {
  if (guess.rows == request.rows && guess.classes == request.classes) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("the journal's guess of feed ", request.feed_id,
                                          ", step ", request.step, " has ", guess.rows, " rows of ",
                                          guess.classes, " classes; the feed has ", request.rows,
                                          " of ", request.classes));
}

// One forward pass per view index, as many at once as there are buffers: whoever is done with a
// view takes the next.
class ViewGuesses {
 public:
  ViewGuesses(const GuessRequest& request, bool batch_statistics, GuessModel* model,
              const RenderGuessView& render_view)
      : request_(request),
        batch_statistics_(batch_statistics),
        model_(*model),
        render_view_(render_view),
        view_floats_(static_cast<size_t>(request.rows * request.shape.pixels())),
        guess_floats_(static_cast<size_t>(request.rows) * static_cast<size_t>(request.classes)) {}

  // [views][rows][classes]. As many views are under way at once as there are buffers.
  absl::StatusOr<std::vector<float>> Make(std::span<std::vector<float>> buffers) {
    const auto views = static_cast<size_t>(request_.views);
    buffers = buffers.first(std::min(buffers.size(), views));
    const auto bytes = static_cast<int64_t>(
        sizeof(float) * (view_floats_ * buffers.size() + guess_floats_ * views));
    return CatchOutOfMemory("a step's views", bytes, [&]() -> absl::StatusOr<std::vector<float>> {
      probabilities_.resize(guess_floats_ * views);
      statuses_.resize(views);
      for (std::vector<float>& buffer : buffers) buffer.resize(view_floats_);
      Run(buffers);
      for (const absl::Status& status : statuses_) MIXFEED_RETURN_IF_ERROR(status);
      return std::move(probabilities_);
    });
  }

 private:
  // The caller's thread takes part. (What std::async gets no thread for, the last get() does.)
  void Run(std::span<std::vector<float>> buffers) {
    std::vector<std::future<void>> helpers;
    for (std::vector<float>& buffer : buffers.subspan(1)) {
      helpers.push_back(std::async([this, &buffer] { TakeViews(buffer); }));
    }
    TakeViews(buffers[0]);
    for (std::future<void>& helper : helpers) helper.get();
  }

  void TakeViews(std::span<float> buffer) {
    for (int k = next_view_++; k < request_.views; k = next_view_++) {
      statuses_[static_cast<size_t>(k)] = GuessView(k, buffer);
    }
  }

  absl::Status GuessView(int k, std::span<float> buffer) {
    MIXFEED_RETURN_IF_ERROR(render_view_(k, model_.info().normalisation, buffer));
    return model_.Guess(
        buffer, request_.rows, batch_statistics_,
        std::span(probabilities_).subspan(guess_floats_ * static_cast<size_t>(k), guess_floats_));
  }

  const GuessRequest& request_;
  const bool batch_statistics_;
  GuessModel& model_;
  const RenderGuessView& render_view_;
  const size_t view_floats_;
  const size_t guess_floats_;
  std::vector<float> probabilities_;    // each view has a part of its own
  std::vector<absl::Status> statuses_;  // [views]
  std::atomic<int> next_view_ = 0;
};

}  // namespace

Guesser::Guesser(GuessSpec spec, FindModel find_model, Journal* journal)
    : spec_(std::move(spec)), find_model_(std::move(find_model)), journal_(journal) {}

absl::StatusOr<StepGuess> Guesser::Guess(const GuessRequest& request,
                                         const RenderGuessView& render_view) {
  MIXFEED_RETURN_IF_ERROR(ValidateRequest(request));
  MIXFEED_ASSIGN_OR_RETURN(std::optional<StepGuess> known,
                           journal_->Find(request.feed_id, request.step));
  if (!known.has_value()) {
    MIXFEED_ASSIGN_OR_RETURN(const StepGuess fresh, MakeGuess(request, render_view));
    MIXFEED_ASSIGN_OR_RETURN(known, journal_->Insert(request.feed_id, request.step, fresh));
  }
  MIXFEED_RETURN_IF_ERROR(CheckJournalFits(*known, request));
  return *std::move(known);
}

absl::StatusOr<StepGuess> Guesser::MakeGuess(const GuessRequest& request,
                                             const RenderGuessView& render_view) const {
  MIXFEED_ASSIGN_OR_RETURN(const std::shared_ptr<GuessModel> model, ModelOf(request.feed_id));
  const GuessModelInfo& info = model->info();
  MIXFEED_RETURN_IF_ERROR(CheckModelFits(info, request));
  std::array<std::vector<float>, kViewsAtOnce> buffers;
  for (std::vector<float>& buffer : buffers) buffer = TakeBuffer();
  absl::StatusOr<std::vector<float>> guessed =
      ViewGuesses(request, spec_.batch_statistics, model.get(), render_view).Make(buffers);
  for (std::vector<float>& buffer : buffers) ReturnBuffer(std::move(buffer));
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<float> views, std::move(guessed));
  const absl::Status sound = CheckProbabilities(views, request.classes);
  if (!sound.ok()) {
    return absl::DataLossError(absl::StrCat("guess model ", info.name, ": ", sound.message()));
  }
  StepGuess guess;
  guess.rows = request.rows;
  guess.classes = request.classes;
  guess.model = info.name;
  guess.model_version = info.version;
  // One batch makes one update, so that update(step) is the step.
  guess.age = std::max<int64_t>(0, request.step - info.update);
  guess.environment = info.environment;
  guess.probabilities.resize(views.size() / static_cast<size_t>(request.views));
  AverageViews(views, request.views, guess.probabilities);
  Sharpen(spec_.temperature, request.classes, guess.probabilities);
  return guess;
}

std::vector<float> Guesser::TakeBuffer() const {
  MutexLock lock(&mu_);
  if (idle_buffers_.empty()) return {};
  std::vector<float> buffer = std::move(idle_buffers_.back());
  idle_buffers_.pop_back();
  return buffer;
}

void Guesser::ReturnBuffer(std::vector<float> buffer) const {
  MutexLock lock(&mu_);
  idle_buffers_.push_back(std::move(buffer));
}

absl::StatusOr<std::shared_ptr<GuessModel>> Guesser::ModelOf(const std::string& feed_id) const {
  if (!spec_.model.empty()) return find_model_(spec_.model);
  MIXFEED_ASSIGN_OR_RETURN(const std::optional<std::string> last, journal_->LastModel(feed_id));
  return find_model_(last.value_or(""));
}

}  // namespace mixfeed
