#ifndef MIXFEED_CLIENT_TRAIN_FEED_PLAN_H_
#define MIXFEED_CLIENT_TRAIN_FEED_PLAN_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/flags.h"
#include "client/look/json.h"
#include "client/train/learner.h"
#include "client/train/settings.h"
#include "mixfeed/v1/inspect.pb.h"
#include "mixfeed/v1/spec.pb.h"

namespace mixfeed {

// What a training reads and how it trains: the same in all its processes, and what a checkpoint
// keeps.
struct TrainingPlan {
  v1::FeedSpec spec;
  std::string run;
  SettingTexts settings;
  // Of the checkpoint that it goes on from; else empty.
  std::string feed_id;
  std::string environment;
};

// That of a new training: recipe, interleave, model and batches_per_update are filled in where the
// flags leave them open, and a run begins under a new name unless one is given. Errors are
// InvalidArgument or NotFound, and name flag or field, value and what is allowed.
absl::StatusOr<TrainingPlan> NewPlan(const SpecFlags& spec, const SettingFlags& settings);

// As NotesOfUnread: a line for each flag of a new training whose value changes nothing. `rewind`
// and `rendezvous`: whether --rewind and --rendezvous were given.
std::vector<std::string> NotesOfUnread(const SettingFlags& settings, const LocalSpec& spec,
                                       bool rewind, bool rendezvous);

// That of a training that goes on; the checkpoint's, which no flag may contradict. `path` is the
// checkpoint's, for messages. DataLoss for a description that cannot be read.
absl::StatusOr<TrainingPlan> ContinuedPlan(const SpecFlags& spec, const SettingFlags& settings,
                                           const std::string& path, const std::string& description);

// As JSON, for checkpoints and other processes, and back.
Json PlanToJson(const TrainingPlan& plan);
absl::StatusOr<TrainingPlan> PlanFromJson(const Json& json);

// The dataset of the spec at the server. NotFound, or FailedPrecondition for one that could not be
// read.
absl::StatusOr<v1::DatasetInfo> FindDataset(const v1::GetServerInfoResponse& server,
                                            const std::string& name);

// What is to be trained: of the settings, on the feed of the spec, which `local` is in full.
LearnerOptions LearnerOptionsOf(const TrainSettings& settings, const v1::FeedSpec& spec,
                                const LocalSpec& local, const v1::DatasetInfo& dataset);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_TRAIN_FEED_PLAN_H_
