#include "augment/guess/guesser.h"

#include <algorithm>
#include <future>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/target/target.h"

namespace mixfeed {
namespace {

constexpr char kHowToRegister[] =
    "; register one with `mixfeed model register`, or start the server with `--model`";

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
                     ", but the dataset's are ", ShapeText(request.shape), kHowToRegister));
  }
  if (info.classes != request.classes) {
    return absl::FailedPreconditionError(
        absl::StrCat("guess model ", info.name, " knows ", info.classes,
                     " classes, but the dataset has ", request.classes, kHowToRegister));
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

// One forward pass per view index, all at once as far as the model has threads. (The default policy
// of std::async runs in turn what it gets no thread for.)
absl::StatusOr<std::vector<float>> GuessViews(const GuessRequest& request, bool batch_statistics,
                                              GuessModel* model,
                                              const RenderGuessView& render_view) {
  const auto view_size = static_cast<size_t>(request.rows * request.shape.pixels());
  const auto guess_size = static_cast<size_t>(request.rows) * static_cast<size_t>(request.classes);
  std::vector<float> probabilities(guess_size * static_cast<size_t>(request.views));
  const auto guess_view = [&](int k) -> absl::Status {
    std::vector<float> view(view_size);
    MIXFEED_RETURN_IF_ERROR(render_view(k, model->info().normalisation, view));
    const size_t begin = guess_size * static_cast<size_t>(k);
    return model->Guess(view, request.rows, batch_statistics,
                        std::span(probabilities).subspan(begin, guess_size));
  };
  std::vector<std::future<absl::Status>> views;
  for (int k = 0; k < request.views; ++k) views.push_back(std::async(guess_view, k));
  for (auto& view : views) MIXFEED_RETURN_IF_ERROR(view.get());
  return probabilities;
}

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
  MIXFEED_ASSIGN_OR_RETURN(const std::shared_ptr<GuessModel> model, CurrentModel());
  const GuessModelInfo& info = model->info();
  MIXFEED_RETURN_IF_ERROR(CheckModelFits(info, request));
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<float> views,
                           GuessViews(request, spec_.batch_statistics, model.get(), render_view));
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

absl::StatusOr<std::shared_ptr<GuessModel>> Guesser::CurrentModel() const {
  absl::StatusOr<std::shared_ptr<GuessModel>> model = find_model_(spec_.model);
  const bool missing =
      absl::IsNotFound(model.status()) || absl::IsFailedPrecondition(model.status());
  if (!missing) return model;
  return absl::FailedPreconditionError(
      absl::StrCat("no guess model: ", model.status().message(), kHowToRegister));
}

}  // namespace mixfeed
