#ifndef MIXFEED_CLIENT_TRAIN_SETTINGS_H_
#define MIXFEED_CLIENT_TRAIN_SETTINGS_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/spec/local_spec.h"
#include "client/train/losses.h"
#include "client/train/schedule.h"
#include "client/train/variant.h"

namespace CLI {
class App;
}  // namespace CLI

namespace mixfeed {

// What defines a training besides its feed: two trainings that are equal in it, in the feed and in
// their environment end with equal weights. As texts by name: what a checkpoint keeps.
using SettingTexts = std::map<std::string, std::string>;

// The same, read.
struct TrainSettings {
  const TrainerVariant* variant = nullptr;
  std::string network;
  uint64_t steps = 0;  // updates
  bool sgd = false;
  double rate = 0;  // the schedule's base
  const Schedule* schedule = nullptr;
  double ema = 0;
  double weight_decay = 0;
  double norm_momentum = 0;
  LossKind labelled_loss = LossKind::kCrossEntropy;
  LossKind unlabelled_loss = LossKind::kSquaredError;
  std::string normalise;
  bool pairs = false;
  uint64_t init_seed = 0;
  uint32_t accumulate = 1;
  uint32_t world = 1;
  uint32_t push_every = 1;
};

// The flags of a training's settings.
class SettingFlags {
 public:
  // How to add one: a line in the table in settings.cc, and its reading in ReadSettings.
  void AddTo(CLI::App* app);

  // The setting's text where the flag was given, else an empty one.
  const std::string& Given(const std::string& name) const;

  // All settings: those that were given, else the defaults of variant and recipe.
  SettingTexts Resolve(const TrainerVariant& variant, const LocalSpec& spec) const;

  // `kept`, if no flag says otherwise. InvalidArgument names a flag that does, both values, and
  // the `origin` of the kept ones. Under a schedule that does not depend on it, steps may.
  absl::StatusOr<SettingTexts> Continue(SettingTexts kept, const std::string& origin) const;

 private:
  SettingTexts texts_;  // empty where they were not given
};

// InvalidArgument names a setting that is missing or not allowed.
absl::StatusOr<TrainSettings> ReadSettings(const SettingTexts& texts);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_TRAIN_SETTINGS_H_
