#include "augment/guess/guesser.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/memory.h"
#include "augment/base/status_macros.h"
#include "augment/guess/not_yet.h"
#include "augment/target/target.h"

namespace mixfeed {
namespace {

constexpr char kRegisterAnother[] = "; register one that fits";

// Views that the model gets together, as many as TorchRuntime makes passes at once; no more of them
// are held.
constexpr int kViewsAtOnce = 2;

// How often a step is guessed when the model elsewhere turns into another one meanwhile.
constexpr int kMostTries = 3;

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

// Whether the journal holds what was given to it, and not what another process wrote before.
bool IsSameGuess(const StepGuess& held, const StepGuess& given) {
  return held.model == given.model && held.model_version == given.model_version &&
         held.probabilities == given.probabilities;
}

size_t FloatsOfView(const GuessRequest& request) {
  return static_cast<size_t>(request.rows * request.shape.pixels());
}

// Views first..first + count - 1, [count][rows][C][H][W].
absl::Status RenderViews(const GuessRequest& request, const RenderGuessView& render_view, int first,
                         int count, const Normalisation& normalisation, std::span<float> out) {
  const size_t view_floats = FloatsOfView(request);
  for (int k = 0; k < count; ++k) {
    MIXFEED_RETURN_IF_ERROR(render_view(
        first + k, normalisation, out.subspan(view_floats * static_cast<size_t>(k), view_floats)));
  }
  return absl::OkStatus();
}

// [views][rows][classes], of one forward pass per view. Views that are not `prepared` go through
// `buffer`, kViewsAtOnce of them at a time.
absl::StatusOr<std::vector<float>> GuessViews(const GuessRequest& request, bool batch_statistics,
                                              GuessModel* model, const RenderGuessView& render_view,
                                              std::span<const float> prepared,
                                              std::vector<float>* buffer) {
  const int at_once = prepared.empty() ? std::min(kViewsAtOnce, request.views) : request.views;
  const size_t view_floats = FloatsOfView(request);
  const auto guess_floats =
      static_cast<size_t>(request.rows) * static_cast<size_t>(request.classes);
  const size_t buffer_floats = prepared.empty() ? view_floats * static_cast<size_t>(at_once) : 0;
  const size_t floats = guess_floats * static_cast<size_t>(request.views);
  const auto bytes = static_cast<int64_t>(sizeof(float) * (buffer_floats + floats));
  return CatchOutOfMemory("a step's views", bytes, [&]() -> absl::StatusOr<std::vector<float>> {
    std::vector<float> probabilities(floats);
    if (prepared.empty()) buffer->resize(buffer_floats);
    for (int first = 0; first < request.views; first += at_once) {
      const int passes = std::min(at_once, request.views - first);
      if (prepared.empty()) {
        MIXFEED_RETURN_IF_ERROR(
            RenderViews(request, render_view, first, passes, model->info().normalisation, *buffer));
      }
      const std::span<const float> views = prepared.empty() ? *buffer : prepared;
      MIXFEED_RETURN_IF_ERROR(
          model->GuessPasses(views.first(view_floats * static_cast<size_t>(passes)), passes,
                             request.rows, batch_statistics,
                             std::span(probabilities)
                                 .subspan(guess_floats * static_cast<size_t>(first),
                                          guess_floats * static_cast<size_t>(passes))));
    }
    return probabilities;
  });
}

// What `guess` gives while the model stays as it is, so that no guess is made of two models.
absl::StatusOr<std::vector<float>> GuessInOneEnvironment(
    const GuessModel& model, const std::function<absl::StatusOr<std::vector<float>>()>& guess,
    std::string* environment) {
  for (int tries = 0; tries < kMostTries; ++tries) {
    *environment = model.environment();
    absl::StatusOr<std::vector<float>> guessed = guess();
    if (!guessed.ok() || model.environment() == *environment) return guessed;
  }
  return absl::AbortedError(absl::StrCat("guess model ", model.info().name, " changed ", kMostTries,
                                         " times while a step was guessed; it is now ",
                                         model.environment()));
}

int64_t UpdateOf(const GuessSpec& spec, int64_t step) { return step / spec.batches_per_update; }

// What a guess says of the models that make it at the trainer's `update`.
StepGuess Describe(std::span<const std::shared_ptr<GuessModel>> models, int64_t update) {
  StepGuess guess;
  for (const auto& model : models) {
    const GuessModelInfo& info = model->info();
    if (model == models.front()) {
      guess.model = info.name;
      guess.model_version = info.version;
      guess.model_update = info.update;
      guess.weights = info.weights;
    } else {
      guess.more.push_back({info.name, info.version, info.update, info.weights});
    }
    guess.age = std::max(guess.age, update - info.update);
  }
  return guess;
}

}  // namespace

bool NeedsEveryUpdate(const GuessSpec& spec) {
  return spec.policy == WeightsPolicy::kLockstep || spec.policy == WeightsPolicy::kDelayed;
}

absl::StatusOr<std::vector<std::string>> ModelNames(const GuessSpec& spec,
                                                    const std::string& feed_id, Journal* journal) {
  std::vector<std::string> names = spec.models();
  if (!names.empty()) return names;
  MIXFEED_ASSIGN_OR_RETURN(std::optional<std::string> last, journal->LastModel(feed_id));
  names.push_back(std::move(last).value_or(""));
  return names;
}

WeightsWish WishOf(const GuessSpec& spec, int64_t step) {
  using Kind = WeightsWish::Kind;
  switch (spec.policy) {
    case WeightsPolicy::kLockstep:
      return {Kind::kUpdate, UpdateOf(spec, step), spec.ema};
    case WeightsPolicy::kDelayed:
      return {Kind::kUpdate, std::max<int64_t>(0, UpdateOf(spec, step) - spec.delay), spec.ema};
    case WeightsPolicy::kPinned:
      return {Kind::kVersion, spec.version, spec.ema};
    case WeightsPolicy::kNewest:
      break;
  }
  return {Kind::kNewest, 0, spec.ema};
}

Guesser::Guesser(GuessSpec spec, FindModel find_model, Journal* journal, size_t max_prepared_floats)
    : spec_(std::move(spec)),
      find_model_(std::move(find_model)),
      journal_(journal),
      max_prepared_floats_(max_prepared_floats) {}

absl::StatusOr<StepGuess> Guesser::Guess(const GuessRequest& request,
                                         const RenderGuessView& render_view) {
  MIXFEED_RETURN_IF_ERROR(ValidateRequest(request));
  MIXFEED_ASSIGN_OR_RETURN(std::optional<StepGuess> known,
                           journal_->Find(request.feed_id, request.step));
  if (!known.has_value()) {
    MIXFEED_ASSIGN_OR_RETURN(const Made made, MakeGuess(request, render_view));
    MIXFEED_ASSIGN_OR_RETURN(known, journal_->Insert(request.feed_id, request.step, made.guess));
    if (request.observe && IsSameGuess(*known, made.guess)) {
      request.observe({.step = request.step,
                       .views = made.view_count,
                       .view_probabilities = made.views,
                       .averaged = made.averaged,
                       .guess = *known});
    }
  }
  DropPreparedThrough(request.step);
  MIXFEED_RETURN_IF_ERROR(CheckJournalFits(*known, request));
  return *std::move(known);
}

absl::StatusOr<Guesser::Made> Guesser::MakeGuess(const GuessRequest& request,
                                                 const RenderGuessView& render_view) const {
  absl::StatusOr<Models> found = FindModels(request.feed_id, WishOf(spec_, request.step));
  if (IsNotYet(found.status())) MIXFEED_RETURN_IF_ERROR(Prepare(request, render_view));
  MIXFEED_ASSIGN_OR_RETURN(const Models models, std::move(found));
  for (const auto& model : models) MIXFEED_RETURN_IF_ERROR(CheckModelFits(model->info(), request));
  const Prepared prepared = TakePrepared(request.step);
  Made made;
  std::set<std::string> environments;
  for (const auto& model : models) {
    std::string environment;
    MIXFEED_RETURN_IF_ERROR(AddGuesses(request, render_view,
                                       prepared.For(model->info().normalisation), model.get(),
                                       &made.views, &environment));
    environments.insert(std::move(environment));
  }
  StepGuess& guess = made.guess;
  guess = Describe(models, UpdateOf(spec_, request.step));
  guess.environment = absl::StrJoin(environments, " + ");
  guess.rows = request.rows;
  guess.classes = request.classes;
  made.view_count = static_cast<int>(models.size()) * request.views;
  made.averaged.resize(made.views.size() / static_cast<size_t>(made.view_count));
  AverageViews(made.views, made.view_count, made.averaged);
  guess.probabilities = made.averaged;
  Sharpen(spec_.temperature, request.classes, guess.probabilities);
  return made;
}

absl::Status Guesser::AddGuesses(const GuessRequest& request, const RenderGuessView& render_view,
                                 std::span<const float> prepared, GuessModel* model,
                                 std::vector<float>* guesses, std::string* environment) const {
  std::vector<float> buffer = TakeBuffer();
  const absl::StatusOr<std::vector<float>> guessed = GuessInOneEnvironment(
      *model,
      [&] {
        return GuessViews(request, spec_.batch_statistics, model, render_view, prepared, &buffer);
      },
      environment);
  ReturnBuffer(std::move(buffer));
  MIXFEED_RETURN_IF_ERROR(guessed.status());
  const absl::Status sound = CheckProbabilities(*guessed, request.classes);
  if (!sound.ok()) {
    return absl::DataLossError(
        absl::StrCat("guess model ", model->info().name, ": ", sound.message()));
  }
  guesses->insert(guesses->end(), guessed->begin(), guessed->end());
  return absl::OkStatus();
}

absl::Status Guesser::Prepare(const GuessRequest& request,
                              const RenderGuessView& render_view) const {
  const size_t view_floats = FloatsOfView(request);
  const size_t floats = view_floats * static_cast<size_t>(request.views);
  {
    MutexLock lock(&mu_);
    const bool known = prepared_.count(request.step) > 0;
    if (known || !ReservePrepared(request.step, floats)) return absl::OkStatus();
  }
  Prepared prepared;
  absl::Status status = RenderAll(request, render_view, &prepared);
  MutexLock lock(&mu_);
  if (!status.ok() || !prepared_.emplace(request.step, std::move(prepared)).second) {
    prepared_floats_ -= floats;
  }
  return status;
}

absl::Status Guesser::RenderAll(const GuessRequest& request, const RenderGuessView& render_view,
                                Prepared* prepared) const {
  // Any weights will do: a model's input is the same under all of them.
  MIXFEED_ASSIGN_OR_RETURN(const Models models, FindModels(request.feed_id, WeightsWish{}));
  MIXFEED_RETURN_IF_ERROR(CheckModelFits(models[0]->info(), request));
  prepared->normalisation = models[0]->info().normalisation;
  const size_t floats = FloatsOfView(request) * static_cast<size_t>(request.views);
  const auto bytes = static_cast<int64_t>(sizeof(float) * floats);
  return CatchOutOfMemory("a step's views", bytes, [&]() -> absl::Status {
    prepared->views.resize(floats);
    return RenderViews(request, render_view, 0, request.views, prepared->normalisation,
                       prepared->views);
  });
}

Guesser::Prepared Guesser::TakePrepared(int64_t step) const {
  MutexLock lock(&mu_);
  const auto found = prepared_.find(step);
  if (found == prepared_.end()) return {};
  Prepared prepared = std::move(found->second);
  prepared_.erase(found);
  prepared_floats_ -= prepared.views.size();
  return prepared;
}

bool Guesser::ReservePrepared(int64_t step, size_t floats) const {
  while (prepared_floats_ + floats > max_prepared_floats_) {
    if (prepared_.empty() || prepared_.rbegin()->first < step) return false;
    DropPrepared(std::prev(prepared_.end()));
  }
  prepared_floats_ += floats;
  return true;
}

void Guesser::DropPrepared(std::map<int64_t, Prepared>::iterator prepared) const {
  prepared_floats_ -= prepared->second.views.size();
  prepared_.erase(prepared);
}

void Guesser::DropPreparedThrough(int64_t step) const {
  MutexLock lock(&mu_);
  while (!prepared_.empty() && prepared_.begin()->first <= step) DropPrepared(prepared_.begin());
}

bool Guesser::IsReady(const std::string& feed_id, int64_t step) const {
  return !journal_->IsAway() && !IsNotYet(FindModels(feed_id, WishOf(spec_, step)).status());
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

absl::StatusOr<Guesser::Models> Guesser::FindModels(const std::string& feed_id,
                                                    const WeightsWish& wish) const {
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                           ModelNames(spec_, feed_id, journal_));
  Models models;
  for (const std::string& name : names) {
    MIXFEED_ASSIGN_OR_RETURN(std::shared_ptr<GuessModel> model, find_model_(name, wish));
    models.push_back(std::move(model));
  }
  return models;
}

}  // namespace mixfeed
