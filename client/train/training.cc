#include "client/train/training.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/guess/torch_environment.h"
#include "augment/pool/file_io.h"
#include "augment/weights/state_dict.h"
#include "client/cli/files.h"
#include "client/look/unread.h"
#include "client/mix.h"
#include "client/train/checkpoint.h"
#include "client/train/feed_plan.h"
#include "client/train/learner.h"
#include "client/train/process_group.h"
#include "client/train/publisher.h"
#include "client/train/report.h"

namespace mixfeed {
namespace {

constexpr uint32_t kEvalBatch = 256;

class Training {
 public:
  Training(const TrainingOptions& options, const ServerFlags& server, Console* console)
      : options_(options), server_(server), console_(console) {}

  absl::Status Run(const SpecFlags& spec, const SettingFlags& settings) {
    MIXFEED_RETURN_IF_ERROR(Agree(spec, settings));
    MIXFEED_RETURN_IF_ERROR(Connect());
    MIXFEED_RETURN_IF_ERROR(MakeLearner());
    MIXFEED_RETURN_IF_ERROR(Attach());
    MIXFEED_RETURN_IF_ERROR(OpenFeeds());
    return Loop();
  }

  bool finished() const { return learner_->updates() >= settings_.steps; }

 private:
  bool leads() const { return options_.rank == 0; }

  // Makes the plan, or takes it, and the checkpoint, from rank 0, which looks at all flags before
  // it waits for the others.
  absl::Status Agree(const SpecFlags& spec, const SettingFlags& settings) {
    const std::string& given = settings.Given("world");
    const uint32_t world = given.empty() ? 1 : static_cast<uint32_t>(std::stoul(given));
    if (options_.rank >= world) {
      return absl::InvalidArgumentError(
          absl::StrCat("--rank: ", options_.rank, " given, must be below --world, ", world));
    }
    std::string checkpoint;
    if (leads()) MIXFEED_RETURN_IF_ERROR(MakePlan(spec, settings, &checkpoint));
    if (world > 1) MIXFEED_RETURN_IF_ERROR(Share(world, &checkpoint));
    MIXFEED_ASSIGN_OR_RETURN(settings_, ReadSettings(plan_.settings));
    if (settings_.world == world) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "--world: not given; checkpoint ", options_.checkpoint, " is of a training of ",
        settings_.world, " processes: give each --world, --rank and --rendezvous"));
  }

  absl::Status MakePlan(const SpecFlags& spec, const SettingFlags& settings,
                        std::string* checkpoint) {
    for (const auto& [flag, file] :
         {std::pair{"--checkpoint", options_.checkpoint}, {"--png", options_.png}}) {
      if (!file.empty()) MIXFEED_RETURN_IF_ERROR(CheckWritable(flag, file));
    }
    if (!options_.resume) {
      if (IsFile(options_.checkpoint)) {
        return absl::AlreadyExistsError(
            absl::StrCat("--checkpoint: ", options_.checkpoint,
                         " is there; --resume goes on from it, another file or none begins anew"));
      }
      MIXFEED_ASSIGN_OR_RETURN(plan_, NewPlan(spec, settings));
      MIXFEED_ASSIGN_OR_RETURN(const LocalSpec local, ResolveLocally(plan_.spec));
      console_->Note(NotesOfUnread(spec.Given(local), local));
      console_->Note(NotesOfUnread(settings, local, options_.rewind, !options_.rendezvous.empty()));
      return absl::OkStatus();
    }
    MIXFEED_ASSIGN_OR_RETURN(*checkpoint, ReadCheckpointFile(options_.checkpoint));
    MIXFEED_RETURN_IF_ERROR(TakeCheckpoint(*checkpoint));
    MIXFEED_ASSIGN_OR_RETURN(
        plan_, ContinuedPlan(spec, settings, options_.checkpoint, checkpoint_->description));
    return TakeProgress();
  }

  // Joins the processes; those that follow take what rank 0 has.
  absl::Status Share(uint32_t world, std::string* checkpoint) {
    ProcessGroupOptions group{
        .rank = options_.rank, .world = world, .rendezvous = options_.rendezvous};
    group.waits = [&] {
      console_->err << "note: waiting until all " << world << " processes have met at "
                    << options_.rendezvous << '\n';
    };
    MIXFEED_ASSIGN_OR_RETURN(group_, ProcessGroup::Join(group));
    std::string plan = leads() ? Dump(PlanToJson(plan_)) : "";
    MIXFEED_RETURN_IF_ERROR(group_->Share(&plan));
    MIXFEED_RETURN_IF_ERROR(group_->Share(checkpoint));
    if (leads()) return absl::OkStatus();
    MIXFEED_ASSIGN_OR_RETURN(plan_, PlanFromJson(Json::parse(plan, nullptr, false)));
    if (checkpoint->empty()) return absl::OkStatus();
    MIXFEED_RETURN_IF_ERROR(TakeCheckpoint(*checkpoint));
    return TakeProgress();
  }

  absl::Status TakeCheckpoint(const std::string& bytes) {
    MIXFEED_ASSIGN_OR_RETURN(checkpoint_, ParseCheckpoint(options_.checkpoint, bytes));
    return absl::OkStatus();
  }

  // How far the checkpoint's training had come.
  absl::Status TakeProgress() {
    const Json description = Json::parse(checkpoint_->description, nullptr, false);
    const auto update = description.find("update");
    if (update == description.end() || !update->is_number_unsigned()) {
      return absl::DataLossError(
          absl::StrCat("checkpoint ", options_.checkpoint, ": description: update is no number"));
    }
    first_update_ = update->get<uint64_t>();
    saved_update_ = first_update_;
    history_ = description.value("history", Json::object());
    return absl::OkStatus();
  }

  absl::Status Connect() {
    MIXFEED_ASSIGN_OR_RETURN(client_, server_.Connect());
    MIXFEED_ASSIGN_OR_RETURN(const auto info, client_->GetServerInfo());
    MIXFEED_ASSIGN_OR_RETURN(dataset_, FindDataset(info, plan_.spec.dataset()));
    MIXFEED_ASSIGN_OR_RETURN(local_, ResolveLocally(plan_.spec));
    return absl::OkStatus();
  }

  absl::Status MakeLearner() {
    const int threads = SetTrainerThreads(options_.threads);
    const std::string environment = TorchEnvironment(threads);
    if (checkpoint_.has_value() && environment != plan_.environment && leads()) {
      console_->err << "note: the checkpoint was made in another environment (" << plan_.environment
                    << "), so that weights may differ in their last bits from those of an "
                       "uninterrupted training; this is "
                    << environment << '\n';
    }
    plan_.environment = environment;
    const LearnerOptions options = LearnerOptionsOf(settings_, plan_.spec, *local_, dataset_);
    MIXFEED_ASSIGN_OR_RETURN(learner_, Learner::Create(options));
    if (!checkpoint_.has_value()) return absl::OkStatus();
    const absl::Status restored = learner_->Restore(checkpoint_->tensors, first_update_);
    checkpoint_.reset();
    if (restored.ok()) return restored;
    return absl::Status(restored.code(),
                        absl::StrCat("checkpoint ", options_.checkpoint, ": ", restored.message()));
  }

  // The model at the server, before anybody asks for a batch.
  absl::Status Attach() {
    if (local_->recipe.guesses() && leads()) {
      MIXFEED_ASSIGN_OR_RETURN(const std::string weights, learner_->Weights());
      PublisherOptions options;
      options.model = plan_.spec.recipe().guess().model();
      options.network = settings_.network;
      options.image = dataset_.image();
      options.classes = static_cast<uint32_t>(dataset_.class_names_size());
      options.normalisation = settings_.normalise;
      options.init_seed = settings_.init_seed;
      options.push_every = settings_.push_every;
      options.ema_decay = local_->recipe.guess.ema ? settings_.ema : 0;
      options.rewind = options_.rewind;
      MIXFEED_ASSIGN_OR_RETURN(publisher_,
                               Publisher::Attach(client_.get(), options, weights, first_update_));
      if (publisher_->averages_anew()) {
        console_->err << "note: the server lacked the weights of update " << first_update_
                      << ", so that its average (--weights ema) begins anew: guesses are not those "
                         "of an uninterrupted training\n";
      }
      if (!options_.rewind) NoteFirstRewound(0);
    }
    return Meet();
  }

  absl::Status Meet() {
    float none = 0;
    return group_ == nullptr ? absl::OkStatus() : group_->Sum({&none, 1});
  }

  absl::Status OpenFeeds() {
    MIXFEED_ASSIGN_OR_RETURN(feed_,
                             OpenFeed(client_.get(), server_, plan_.spec, plan_.run, console_));
    if (!plan_.feed_id.empty() && plan_.feed_id != feed_->info().feed_id()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "feed: the server makes ", feed_->info().feed_id(), " of the spec and run of checkpoint ",
          options_.checkpoint, ", which is of ", plan_.feed_id, "; its dataset '", dataset_.name(),
          "' is another one, or its plan version"));
    }
    plan_.feed_id = feed_->info().feed_id();
    plan_.spec = feed_->info().spec();
    if (options_.eval_every == 0 || !leads()) return absl::OkStatus();
    if (dataset_.test_images() == 0) {
      return absl::FailedPreconditionError(absl::StrCat(
          "dataset: ", dataset_.name(), " has no test images; --eval-every 0 trains without them"));
    }
    v1::FeedSpec spec;
    spec.set_dataset(plan_.spec.dataset());
    *spec.mutable_split() = plan_.spec.split();
    spec.mutable_recipe()->set_preset("eval");
    spec.set_batch(std::min(kEvalBatch, static_cast<uint32_t>(dataset_.test_images())));
    MIXFEED_ASSIGN_OR_RETURN(eval_feed_, client_->OpenFeed(spec, plan_.run));
    return absl::OkStatus();
  }

  v1::PixelFormat Format() const {
    v1::PixelFormat format;
    format.set_type(v1::FLOAT32);
    format.set_layout(v1::NCHW);
    format.mutable_normalisation()->set_name(settings_.normalise);
    return format;
  }

  absl::Status Loop() {
    StreamOptions options;
    options.from_step = first_update_ * settings_.accumulate * settings_.world;
    options.rank = options_.rank;
    options.world = settings_.world;
    options.format = Format();
    options.format.set_targets(settings_.pairs ? v1::PAIRS : v1::SOFT);
    MIXFEED_ASSIGN_OR_RETURN(const auto stream, feed_->Stream(options));
    Cancellation uninterrupted;
    // In a world of several the others wait for the update under way, which is finished first.
    const Cancellation::Scope scope(
        console_->interrupt == nullptr ? &uninterrupted : console_->interrupt, [&] {
          if (group_ == nullptr) stream->Cancel();
        });
    MIXFEED_RETURN_IF_ERROR(Begin());
    absl::Status status = MakeUpEvaluation();
    while (status.ok() && !finished() && !all_stop_) {
      status = Step(stream.get());
    }
    learner_->Drop();
    const bool cancelled = console_->interrupted() && absl::IsCancelled(status);
    return status.ok() || cancelled ? Finish() : SaveBefore(status);
  }

  // Saves what was trained up to the last whole update before an error.
  absl::Status SaveBefore(const absl::Status& error) {
    if (!leads() || unfit_) return error;
    const absl::Status saved = Save();
    if (saved.ok() || saved == error || saved_update_ == learner_->updates()) return error;
    return absl::Status(error.code(), absl::StrCat(error.message(), "; and what was trained is ",
                                                   "not saved: ", saved.message()));
  }

  absl::Status Begin() {
    if (!leads()) return absl::OkStatus();
    report_.emplace(console_, ReportOptions{.json = server_.json,
                                            .steps = settings_.steps,
                                            .log_every = options_.log_every,
                                            .png = options_.png});
    report_->Restore(history_);
    Json what;
    what["run"] = plan_.run;
    what["feed_id"] = plan_.feed_id;
    what["model"] =
        publisher_ == nullptr ? Json(nullptr) : Json(plan_.spec.recipe().guess().model());
    what["settings"] = plan_.settings;
    what["environment"] = plan_.environment;
    return report_->Begin(first_update_, what);
  }

  // One update.
  absl::Status Step(BatchStream* stream) {
    UpdateReport report;
    // What is added over the processes: losses, rows, and whether one of them was interrupted.
    enum Sum { kLabelled, kUnlabelled, kTotal, kRows, kStop, kSums };
    std::vector<float> sums(kSums);
    for (uint32_t i = 0; i < settings_.accumulate; ++i) {
      MIXFEED_ASSIGN_OR_RETURN(const ReceivedBatch batch, stream->Next());
      MIXFEED_RETURN_IF_ERROR(GuessPasses(batch.header().step()));
      MIXFEED_ASSIGN_OR_RETURN(const BatchLosses losses, learner_->Add(batch));
      sums[kLabelled] += static_cast<float>(losses.labelled);
      sums[kUnlabelled] += static_cast<float>(losses.unlabelled);
      sums[kTotal] += static_cast<float>(losses.total());
      sums[kRows] += static_cast<float>(batch.header().rows());
      report.unlabelled_weight = losses.unlabelled_weight;
      if (!batch.header().has_guess()) continue;
      report.confidence = batch.header().guess().confidence();
      report.guess_version = batch.header().guess().version();
      report.guess_age = batch.header().guess().age();
    }
    if (console_->interrupted()) sums[kStop] = 1;
    report.rate = RateAt(*settings_.schedule, settings_.rate, learner_->updates(), settings_.steps);
    const absl::Status updated = learner_->Update(report.rate, group_.get(), sums);
    if (!std::isfinite(sums[kTotal])) return Diverged(sums[kTotal], report.rate);
    unfit_ = absl::IsInternal(updated);  // LibTorch's error in the middle of an update
    MIXFEED_RETURN_IF_ERROR(updated);
    all_stop_ = sums[kStop] > 0;
    if (!leads()) return absl::OkStatus();
    const double batches = double{1} * settings_.accumulate * settings_.world;
    report.update = learner_->updates();
    report.labelled_loss = sums[kLabelled] / batches;
    report.unlabelled_loss = sums[kUnlabelled] / batches;
    report.loss = sums[kTotal] / batches;
    report.rows = static_cast<uint64_t>(sums[kRows]);
    return AfterUpdate(report);
  }

  // The weights of the update before are still there, but such that they came to this.
  absl::Status Diverged(float loss, double rate) {
    unfit_ = true;
    return absl::FailedPreconditionError(
        absl::StrCat("loss: ", loss, " in update ", learner_->updates() + 1,
                     ", must be finite; the learning rate was ", rate, ", a smaller --lr may help",
                     SavedText()));
  }

  // "; checkpoint FILE is of update N", where there is one.
  std::string SavedText() const {
    if (!leads() || !saved_update_.has_value()) return "";
    return absl::StrCat("; checkpoint ", options_.checkpoint, " is of update ", *saved_update_);
  }

  bool EvaluationIsDue() const {
    return eval_feed_ != nullptr && (finished() || learner_->updates() % options_.eval_every == 0);
  }

  // That of the checkpoint's update, where it was due and was interrupted or failed.
  absl::Status MakeUpEvaluation() {
    if (first_update_ == 0 || !EvaluationIsDue() || report_->evaluated() == first_update_) {
      return absl::OkStatus();
    }
    MIXFEED_RETURN_IF_ERROR(Evaluate());
    saved_update_.reset();  // the file lacks it
    return absl::OkStatus();
  }

  absl::Status AfterUpdate(const UpdateReport& report) {
    MIXFEED_RETURN_IF_ERROR(Push());
    MIXFEED_RETURN_IF_ERROR(report_->Updated(report));
    if (EvaluationIsDue()) MIXFEED_RETURN_IF_ERROR(Evaluate());
    const uint64_t every = options_.checkpoint_every;
    if (every > 0 && report.update % every == 0) return Save();
    return absl::OkStatus();
  }

  absl::Status Push() {
    if (publisher_ == nullptr) return absl::OkStatus();
    MIXFEED_ASSIGN_OR_RETURN(const std::string weights, learner_->Weights());
    const uint64_t before = publisher_->rewound();
    MIXFEED_RETURN_IF_ERROR(publisher_->Push(weights, learner_->updates()));
    NoteFirstRewound(before);
    return absl::OkStatus();
  }

  // After a push, `before` which so many had gone over others.
  void NoteFirstRewound(uint64_t before) const {
    if (before > 0 || publisher_->rewound() == 0) return;
    console_->err << "note: the server had other weights of update " << learner_->updates()
                  << ", which were pushed over; guesses that they made stay (`mixfeed fork` "
                     "begins a run without them)\n";
  }

  // For variants whose guess moves running statistics: on the images of the guess, as they are
  // before mixing.
  absl::Status GuessPasses(uint64_t step) {
    if (!settings_.variant->guess_passes_update || !local_->recipe.guesses()) {
      return absl::OkStatus();
    }
    MIXFEED_ASSIGN_OR_RETURN(const ReceivedViews views, feed_->GetViews(step));
    const v1::ViewsHeader& header = views.header();
    PixelFormat format;
    MIXFEED_ASSIGN_OR_RETURN(
        format.normalisation,
        FindNormalisation(settings_.normalise, static_cast<int>(dataset_.image().channels())));
    const size_t count = size_t{header.views()} * header.unlabelled_rows();
    const v1::ImageShape& image = dataset_.image();
    std::vector<float> images(count * image.channels() * image.height() * image.width());
    MIXFEED_RETURN_IF_ERROR(RenderImages(views, header.labelled_rows(), count, format,
                                         std::as_writable_bytes(std::span(images))));
    return learner_->AddGuessPasses(images, header.views());
  }

  absl::Status Evaluate() {
    StreamOptions options;
    options.format = Format();
    MIXFEED_ASSIGN_OR_RETURN(const auto stream, eval_feed_->Stream(options));
    report_->StopClock();
    EvalReport report{.update = learner_->updates()};
    for (uint64_t i = 0; i < eval_feed_->info().steps(); ++i) {
      if (console_->interrupted()) return absl::OkStatus();
      MIXFEED_ASSIGN_OR_RETURN(const ReceivedBatch batch, stream->Next());
      MIXFEED_ASSIGN_OR_RETURN(const EvalCounts counts, learner_->Evaluate(batch));
      report.images += counts.images;
      report.accuracy += static_cast<double>(counts.correct);
      report.loss += counts.loss;
    }
    if (report.images == 0) return absl::OkStatus();
    report.accuracy /= static_cast<double>(report.images);
    report.loss /= static_cast<double>(report.images);
    return report_->Evaluated(report);
  }

  // What is not finite must not replace a checkpoint that is.
  absl::Status CheckState(const std::string& state) const {
    MIXFEED_ASSIGN_OR_RETURN(const StateDict tensors, StateDict::Parse(state));
    const absl::Status finite = CheckFinite(tensors);
    if (finite.ok()) return finite;
    return absl::FailedPreconditionError(absl::StrCat("update ", learner_->updates(),
                                                      " cannot be saved: ", finite.message(),
                                                      "; a smaller --lr may help", SavedText()));
  }

  absl::Status Save() {
    if (options_.checkpoint.empty() || saved_update_ == learner_->updates()) {
      return absl::OkStatus();
    }
    Json description = PlanToJson(plan_);
    description["update"] = learner_->updates();
    description["history"] = report_->History();
    MIXFEED_ASSIGN_OR_RETURN(const std::string state, learner_->State());
    MIXFEED_RETURN_IF_ERROR(CheckState(state));
    MIXFEED_RETURN_IF_ERROR(WriteCheckpoint(options_.checkpoint, Dump(description), state));
    saved_update_ = learner_->updates();
    return report_->Saved(options_.checkpoint, learner_->updates());
  }

  absl::Status Finish() {
    if (!leads()) return absl::OkStatus();
    absl::Status status = Save();
    if (!finished() && options_.checkpoint.empty()) {
      console_->err << "note: what was trained is not saved; --checkpoint FILE keeps it\n";
    }
    status.Update(report_->End(learner_->updates(), !finished() || console_->interrupted()));
    return status;
  }

  const TrainingOptions& options_;
  const ServerFlags& server_;
  Console* const console_;

  std::unique_ptr<ProcessGroup> group_;  // null in a world of one
  TrainingPlan plan_;
  TrainSettings settings_;
  std::optional<LocalSpec> local_;
  std::optional<Checkpoint> checkpoint_;  // until the learner has it
  uint64_t first_update_ = 0;
  Json history_;

  std::unique_ptr<FeedClient> client_;
  v1::DatasetInfo dataset_;
  std::unique_ptr<Learner> learner_;
  std::unique_ptr<Publisher> publisher_;  // null without guesses, and but for rank 0
  std::unique_ptr<Feed> feed_;
  std::unique_ptr<Feed> eval_feed_;  // null where nobody evaluates
  std::optional<TrainReport> report_;
  std::optional<uint64_t> saved_update_;  // that the file is of
  bool all_stop_ = false;                 // this or another process was interrupted
  bool unfit_ = false;                    // the weights must not replace a checkpoint
};

}  // namespace

absl::StatusOr<bool> Train(const TrainingOptions& options, const ServerFlags& server,
                           const SpecFlags& spec, const SettingFlags& settings, Console* console) {
  Training training(options, server, console);
  MIXFEED_RETURN_IF_ERROR(training.Run(spec, settings));
  return training.finished();
}

}  // namespace mixfeed
