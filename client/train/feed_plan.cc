#include "client/train/feed_plan.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "augment/base/status_macros.h"
#include "client/spec/spec_setting.h"

namespace mixfeed {
namespace {

using google::protobuf::util::MessageDifferencer;

constexpr uint32_t kDefaultBatch = 64;  // FeedSpec.batch

absl::Status Invalid(const std::string& text) { return absl::InvalidArgumentError(text); }

// Whether each update's weights are waited for.
bool WaitsForEveryUpdate(const Recipe& recipe) {
  return recipe.guess.policy == WeightsPolicy::kLockstep ||
         recipe.guess.policy == WeightsPolicy::kDelayed;
}

absl::Status CheckTrainable(const LocalSpec& local, const TrainSettings& settings,
                            const SettingTexts& texts) {
  const Recipe& recipe = local.recipe;
  if (recipe.rows == RowSource::kOrdered) {
    return Invalid(absl::StrCat("--recipe: ", local.preset->name,
                                " is one ordered pass for evaluation; allowed: the recipes that "
                                "train (`mixfeed recipes`)"));
  }
  if (settings.pairs && settings.labelled_loss != LossKind::kCrossEntropy) {
    return Invalid(absl::StrCat("--labelled-loss: ", texts.at("labelled-loss"),
                                " given, allowed with --targets pairs: cross-entropy"));
  }
  if (!recipe.guesses()) return absl::OkStatus();
  if (settings.pairs)
    return Invalid("--targets: pairs given, allowed with a recipe that guesses: soft");
  if (settings.push_every > 1 && WaitsForEveryUpdate(recipe)) {
    return Invalid(absl::StrCat("--push-every: ", settings.push_every,
                                " given, allowed with the policies lockstep and delayed: 1; "
                                "--policy newest takes any"));
  }
  if (absl::StrContains(recipe.guess.model, ',')) {
    return Invalid(absl::StrCat("--model: '", recipe.guess.model,
                                "' given, allowed: one name, that of what is trained"));
  }
  const auto together = settings.accumulate * settings.world;
  if (std::cmp_equal(recipe.guess.batches_per_update, together)) return absl::OkStatus();
  return Invalid(absl::StrCat("recipe.guess.batches_per_update: ", recipe.guess.batches_per_update,
                              " given, allowed with --accumulate ", settings.accumulate,
                              " and --world ", settings.world, ": ", together));
}

// What the spec leaves open.
void FillIn(const TrainSettings& settings, const Recipe& recipe, const std::string& run,
            v1::FeedSpec* spec) {
  if (!recipe.guesses()) return;
  v1::Recipe* const message = spec->mutable_recipe();
  const bool mixmatch = absl::StartsWith(recipe.preset, "mixmatch");
  if (mixmatch && !message->has_interleave() && recipe.unlabelled_ratio == 1) {
    message->set_interleave(settings.variant->interleave);
  }
  v1::Guess* const guess = message->mutable_guess();
  if (guess->model().empty()) guess->set_model(run);
  if (!guess->has_batches_per_update()) {
    guess->set_batches_per_update(settings.accumulate * settings.world);
  }
}

// Empties the lists of `message` that `given` has: merging would append to them.
void ClearLists(const google::protobuf::Message& given, google::protobuf::Message* message) {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  given.GetReflection()->ListFields(given, &fields);
  for (const google::protobuf::FieldDescriptor* field : fields) {
    const auto* const reflection = message->GetReflection();
    if (field->is_repeated()) {
      reflection->ClearField(message, field);
    } else if (field->message_type() != nullptr) {
      ClearLists(given.GetReflection()->GetMessage(given, field),
                 reflection->MutableMessage(message, field));
    }
  }
}

// InvalidArgument with the fields in which `given` would change `kept`.
absl::Status CheckSame(const v1::FeedSpec& kept, const v1::FeedSpec& given,
                       const std::string& path) {
  v1::FeedSpec merged = kept;
  ClearLists(given, &merged);
  merged.MergeFrom(given);
  std::string differences;
  MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&differences);
  if (differencer.Compare(kept, merged)) return absl::OkStatus();
  return Invalid(absl::StrCat("the flags change the feed of checkpoint ", path, ": ",
                              absl::StrReplaceAll(differences, {{"\n", "; "}})));
}

}  // namespace

absl::StatusOr<TrainingPlan> NewPlan(const SpecFlags& spec, const SettingFlags& settings) {
  TrainingPlan plan;
  plan.run = spec.run().empty() ? NewRunName() : spec.run();
  MIXFEED_ASSIGN_OR_RETURN(plan.spec, spec.Spec());
  const std::string preset = plan.spec.recipe().preset();
  const std::string& given = settings.Given("variant");
  const TrainerVariant& variant = given.empty() ? VariantOfRecipe(preset) : *FindVariant(given);
  if (preset.empty()) plan.spec.mutable_recipe()->set_preset(variant.recipe);
  MIXFEED_ASSIGN_OR_RETURN(const LocalSpec local, ResolveLocally(plan.spec));
  plan.settings = settings.Resolve(variant, local);
  MIXFEED_ASSIGN_OR_RETURN(const TrainSettings read, ReadSettings(plan.settings));
  FillIn(read, local.recipe, plan.run, &plan.spec);
  MIXFEED_ASSIGN_OR_RETURN(const LocalSpec filled, ResolveLocally(plan.spec));
  MIXFEED_RETURN_IF_ERROR(CheckTrainable(filled, read, plan.settings));
  return plan;
}

std::vector<std::string> NotesOfUnread(const SettingFlags& settings, const LocalSpec& spec,
                                       bool rewind, bool rendezvous) {
  struct Unread {
    const char* flag;
    bool given;
    bool read;
    const char* why;
  };
  const bool guesses = spec.recipe.guesses();
  const char* const no_guess = "nothing is guessed (recipe.rows)";
  const std::string& world = settings.Given("world");
  const Unread flags[] = {
      {"--unlabelled-loss", !settings.Given("unlabelled-loss").empty(), guesses, no_guess},
      {"--push-every", !settings.Given("push-every").empty(), guesses, no_guess},
      {"--rewind", rewind, guesses, no_guess},
      {"--rendezvous", rendezvous, !world.empty() && world != "1", "--world is 1"},
  };
  std::vector<std::string> notes;
  for (const Unread& flag : flags) {
    if (!flag.given || flag.read) continue;
    notes.push_back(absl::StrCat(flag.flag, " has no effect, since ", flag.why));
  }
  return notes;
}

absl::StatusOr<TrainingPlan> ContinuedPlan(const SpecFlags& spec, const SettingFlags& settings,
                                           const std::string& path,
                                           const std::string& description) {
  const Json json = Json::parse(description, nullptr, /*allow_exceptions=*/false);
  absl::StatusOr<TrainingPlan> plan = PlanFromJson(json);
  if (!plan.ok()) {
    return absl::DataLossError(
        absl::StrCat("checkpoint ", path, ": description: ", plan.status().message()));
  }
  const std::string origin = absl::StrCat("checkpoint ", path);
  MIXFEED_ASSIGN_OR_RETURN(plan->settings, settings.Continue(plan->settings, origin));
  MIXFEED_ASSIGN_OR_RETURN(const v1::FeedSpec given, spec.Spec());
  MIXFEED_RETURN_IF_ERROR(CheckSame(plan->spec, given, path));
  if (!spec.run().empty() && spec.run() != plan->run) {
    return Invalid(
        absl::StrCat("--run: ", spec.run(), " given; ", origin, " is of run ", plan->run));
  }
  return plan;
}

Json PlanToJson(const TrainingPlan& plan) {
  Json json;
  json["run"] = plan.run;
  json["feed_id"] = plan.feed_id;
  json["environment"] = plan.environment;
  json["settings"] = plan.settings;
  std::string spec;
  const auto written = google::protobuf::util::MessageToJsonString(plan.spec, &spec);
  static_cast<void>(written);  // every FeedSpec has a JSON form
  json["spec"] = Json::parse(spec, nullptr, /*allow_exceptions=*/false);
  return json;
}

absl::StatusOr<TrainingPlan> PlanFromJson(const Json& json) {
  TrainingPlan plan;
  if (!json.is_object()) return Invalid("is no JSON object");
  for (const auto& [name, text] : {std::pair{"run", &plan.run},
                                   {"feed_id", &plan.feed_id},
                                   {"environment", &plan.environment}}) {
    if (!json.contains(name) || !json[name].is_string())
      return Invalid(absl::StrCat(name, " is no text"));
    *text = json[name].get<std::string>();
  }
  if (!json.contains("settings") || !json["settings"].is_object())
    return Invalid("settings is no object");
  for (const auto& [name, text] : json["settings"].items()) {
    if (!text.is_string()) return Invalid(absl::StrCat("settings.", name, " is no text"));
    plan.settings[name] = text.get<std::string>();
  }
  MIXFEED_RETURN_IF_ERROR(ReadSettings(plan.settings).status());
  const auto spec = json.contains("spec") ? json["spec"] : Json();
  if (google::protobuf::util::JsonStringToMessage(Dump(spec), &plan.spec).ok()) return plan;
  return Invalid("spec is no FeedSpec");
}

absl::StatusOr<v1::DatasetInfo> FindDataset(const v1::GetServerInfoResponse& server,
                                            const std::string& name) {
  std::vector<std::string> names;
  for (const v1::DatasetInfo& dataset : server.datasets()) {
    names.push_back(dataset.name());
    if (dataset.name() != name && !(name.empty() && server.datasets_size() == 1)) continue;
    if (dataset.error().empty()) return dataset;
    return absl::FailedPreconditionError(
        absl::StrCat("dataset: ", dataset.name(), " cannot be used: ", dataset.error()));
  }
  const std::string known = absl::StrJoin(names, ", ");
  if (name.empty()) {
    return Invalid(absl::StrCat("--dataset: not given, and the server has several: ", known));
  }
  return absl::NotFoundError(
      absl::StrCat("--dataset: the server has no '", name, "', only ", known));
}

LearnerOptions LearnerOptionsOf(const TrainSettings& settings, const v1::FeedSpec& spec,
                                const LocalSpec& local, const v1::DatasetInfo& dataset) {
  LearnerOptions options;
  options.network = settings.network;
  options.image = {static_cast<int>(dataset.image().channels()),
                   static_cast<int>(dataset.image().height()),
                   static_cast<int>(dataset.image().width())};
  options.classes = dataset.class_names_size();
  options.init_seed = settings.init_seed;
  const uint32_t batch = spec.has_batch() ? spec.batch() : kDefaultBatch;
  options.labelled_rows = local.recipe.guesses() ? batch : 0;
  options.variant = *settings.variant;
  options.sgd = settings.sgd;
  options.weight_decay = settings.weight_decay;
  options.ema = settings.ema;
  options.norm_momentum = settings.norm_momentum;
  options.labelled_loss = settings.labelled_loss;
  options.unlabelled_loss = settings.unlabelled_loss;
  options.accumulate = settings.accumulate;
  options.world = settings.world;
  return options;
}

}  // namespace mixfeed
