#include "client/train/settings.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/status_macros.h"
#include "augment/guess/residual_network.h"
#include "augment/render/pixel_format.h"
#include "client/cli/flags.h"

namespace mixfeed {
namespace {

using Check = std::function<std::string(const std::string&)>;

constexpr double kLargestRate = 10;
constexpr double kLargestEma = 0.999999;
constexpr uint64_t kMostSteps = std::numeric_limits<int64_t>::max();
constexpr uint32_t kMostTogether = 1024;

struct LossName {
  const char* name;
  LossKind kind;
};
constexpr LossName kLosses[] = {{"cross-entropy", LossKind::kCrossEntropy},
                                {"squared-error", LossKind::kSquaredError},
                                {"binary", LossKind::kBinaryCrossEntropy}};

constexpr char kPairsLoss[] = "cross-entropy";

// One of `names`.
Check OneOf(std::vector<std::string> names) {
  return [names = std::move(names)](const std::string& text) {
    if (std::find(names.begin(), names.end(), text) != names.end()) return std::string();
    return absl::StrCat("'", text, "' is not one of ", absl::StrJoin(names, ", "));
  };
}

template <typename Table>
std::vector<std::string> NamesIn(const Table& table) {
  std::vector<std::string> names;
  for (const auto& entry : table) names.emplace_back(entry.name);
  return names;
}

std::string VariantHelp() {
  std::string help =
      "what a port does differently on the trainer's side, and the defaults of the flags below; "
      "default: that of a recipe mixmatch/NAME, else official.";
  for (const TrainerVariant& variant : TrainerVariants()) {
    absl::StrAppend(&help, " ", variant.name, ": ", variant.summary, ".");
  }
  return help;
}

std::string ScheduleHelp() {
  std::string help = "of the learning rate, over --steps;";
  for (const Schedule& schedule : Schedules()) {
    absl::StrAppend(&help, " ", schedule.name, ": ", schedule.summary, ".");
  }
  return help;
}

std::string UnlabelledLossOf(const LocalSpec& spec) {
  return spec.recipe.preset == "ssl-mixup" ? "cross-entropy" : "squared-error";
}

struct Setting {
  std::string name;
  std::string value;  // what the text is, for help
  std::string help;
  Check check;
  std::function<std::string(const TrainerVariant&, const LocalSpec&)> fallback;
};

// What does not depend on variant and recipe.
std::function<std::string(const TrainerVariant&, const LocalSpec&)> Always(std::string text) {
  return [text = std::move(text)](const TrainerVariant&, const LocalSpec&) { return text; };
}

std::vector<Setting> MakeSettings() {
  const auto networks = ResidualNetwork::Names();
  return {
      {"variant", "NAME", VariantHelp(), OneOf(NamesIn(TrainerVariants())),
       [](const TrainerVariant& variant, const LocalSpec&) { return std::string(variant.name); }},
      {"network", "NAME", "built-in network; default resnet-small",
       OneOf({networks.begin(), networks.end()}), Always("resnet-small")},
      {"steps", "N", "updates of the whole training, from 1 up; default 1000",
       WholeInRange(1, kMostSteps), Always("1000")},
      {"optimiser", "NAME",
       "adam (betas 0.9, 0.999), or sgd with Nesterov momentum 0.9; default: the variant's",
       OneOf({"adam", "sgd"}),
       [](const TrainerVariant& variant, const LocalSpec&) {
         return std::string(variant.optimiser);
       }},
      {"lr", "RATE", "learning rate, 0..10; default: the variant's", InRange(0, kLargestRate),
       [](const TrainerVariant& variant, const LocalSpec&) { return std::string(variant.rate); }},
      {"schedule", "NAME", ScheduleHelp(), OneOf(NamesIn(Schedules())),
       [](const TrainerVariant& variant, const LocalSpec&) {
         return std::string(variant.schedule);
       }},
      {"ema", "DECAY",
       "of the moving average that is evaluated, 0..0.999999; 0: the network itself is; default: "
       "the variant's",
       InRange(0, kLargestEma),
       [](const TrainerVariant& variant, const LocalSpec&) { return std::string(variant.ema); }},
      {"weight-decay", "W",
       "0..1; decoupled, so that weights shrink by W times the rate an update, or L2 in the "
       "gradient, as the variant says; default: the variant's",
       InRange(0, 1),
       [](const TrainerVariant& variant, const LocalSpec&) {
         return std::string(variant.weight_decay);
       }},
      {"norm-momentum", "M",
       "how far a pass moves batch norm's running statistics, 0..1 (PyTorch's; TensorFlow's is 1 - "
       "M); default 0.001",
       InRange(0, 1), Always("0.001")},
      {"labelled-loss", "NAME",
       "cross-entropy, squared-error or binary (of the softmax, as manifold_mixup has it); default "
       "cross-entropy, binary for the recipes manifold and manifold/official; of --targets pairs "
       "cross-entropy alone",
       OneOf(NamesIn(kLosses)),
       [](const TrainerVariant&, const LocalSpec& spec) {
         const std::string& recipe = spec.recipe.preset;
         const bool official = recipe == "manifold" || recipe == "manifold/official";
         return std::string(official ? "binary" : "cross-entropy");
       }},
      {"unlabelled-loss", "NAME",
       "of unlabelled rows, weighed by the feed's lambda_u; default squared-error, cross-entropy "
       "for the recipe ssl-mixup",
       OneOf(NamesIn(kLosses)),
       [](const TrainerVariant&, const LocalSpec& spec) { return UnlabelledLossOf(spec); }},
      {"normalise", "NAME",
       absl::StrCat("of pixels, here and in the guess; default: the recipe's source's; there are ",
                    absl::StrJoin(NormalisationNames(), ", ")),
       OneOf(NormalisationNames()),
       [](const TrainerVariant&, const LocalSpec& spec) {
         return std::string(spec.preset->normalisation);
       }},
      {"targets", "FORM",
       "soft: a weight a class (the default); pairs: (y_a, y_b, lambda), of recipes without "
       "guesses",
       OneOf({"soft", "pairs"}), Always("soft")},
      {"init-seed", "N", "of the initial weights, from 0 up; default 0", WholeFrom(0), Always("0")},
      {"accumulate", "N", "batches of each process an update, 1..1024; default 1",
       WholeInRange(1, kMostTogether), Always("1")},
      {"world", "N",
       "processes that train together, 1..1024; default 1. Process R takes the steps with step mod "
       "N = R, gradients and running statistics are averaged over all (--rank, --rendezvous)",
       WholeInRange(1, kMostTogether), Always("1")},
      {"push-every", "N",
       "updates from one push of the weights to the next, 1..1000000; default 1, which the "
       "policies "
       "lockstep and delayed need",
       WholeInRange(1, 1'000'000), Always("1")},
  };
}

const std::vector<Setting>& Settings() {
  static const std::vector<Setting>* const settings = new std::vector<Setting>(MakeSettings());
  return *settings;
}

// As numbers, where they are.
bool Equal(const std::string& a, const std::string& b) {
  double x = 0, y = 0;
  return a == b || (absl::SimpleAtod(a, &x) && absl::SimpleAtod(b, &y) && x == y);
}

LossKind LossOf(const std::string& name) {
  for (const LossName& loss : kLosses) {
    if (name == loss.name) return loss.kind;
  }
  return LossKind::kCrossEntropy;
}

uint64_t Whole(const std::string& text) {
  uint64_t value = 0;
  const bool read = absl::SimpleAtoi(text, &value);
  static_cast<void>(read);  // checked before
  return value;
}

double Number(const std::string& text) {
  double value = 0;
  const bool read = absl::SimpleAtod(text, &value);
  static_cast<void>(read);  // checked before
  return value;
}

}  // namespace

void SettingFlags::AddTo(CLI::App* app) {
  for (const Setting& setting : Settings()) {
    app->add_option(absl::StrCat("--", setting.name), texts_[setting.name], setting.help)
        ->type_name(setting.value)
        ->check(setting.check)
        ->group("Training");
  }
}

const std::string& SettingFlags::Given(const std::string& name) const { return texts_.at(name); }

SettingTexts SettingFlags::Resolve(const TrainerVariant& variant, const LocalSpec& spec) const {
  SettingTexts texts;
  for (const Setting& setting : Settings()) {
    const std::string& given = Given(setting.name);
    texts[setting.name] = given.empty() ? setting.fallback(variant, spec) : given;
  }
  if (texts["targets"] == "pairs" && Given("labelled-loss").empty()) {
    texts["labelled-loss"] = kPairsLoss;
  }
  return texts;
}

absl::StatusOr<SettingTexts> SettingFlags::Continue(SettingTexts kept,
                                                    const std::string& origin) const {
  const Schedule* const schedule = FindSchedule(kept["schedule"]);
  for (const auto& [name, given] : texts_) {
    if (given.empty() || Equal(given, kept[name])) continue;
    if (name == "steps" && schedule != nullptr && !schedule->depends_on_length) {
      kept[name] = given;
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat("--", name, ": ", given, " given; ", origin,
                                                   " is of a training with ", kept[name]));
  }
  return kept;
}

absl::StatusOr<TrainSettings> ReadSettings(const SettingTexts& texts) {
  for (const Setting& setting : Settings()) {
    const auto text = texts.find(setting.name);
    const std::string wrong = text == texts.end() ? "is missing" : setting.check(text->second);
    if (!wrong.empty()) return absl::InvalidArgumentError(absl::StrCat(setting.name, ": ", wrong));
  }
  const auto text = [&texts](const char* name) { return texts.at(name); };
  TrainSettings settings;
  settings.variant = FindVariant(text("variant"));
  settings.network = text("network");
  settings.steps = Whole(text("steps"));
  settings.sgd = text("optimiser") == "sgd";
  settings.rate = Number(text("lr"));
  settings.schedule = FindSchedule(text("schedule"));
  settings.ema = Number(text("ema"));
  settings.weight_decay = Number(text("weight-decay"));
  settings.norm_momentum = Number(text("norm-momentum"));
  settings.labelled_loss = LossOf(text("labelled-loss"));
  settings.unlabelled_loss = LossOf(text("unlabelled-loss"));
  settings.normalise = text("normalise");
  settings.pairs = text("targets") == "pairs";
  settings.init_seed = Whole(text("init-seed"));
  settings.accumulate = static_cast<uint32_t>(Whole(text("accumulate")));
  settings.world = static_cast<uint32_t>(Whole(text("world")));
  settings.push_every = static_cast<uint32_t>(Whole(text("push-every")));
  return settings;
}

}  // namespace mixfeed
