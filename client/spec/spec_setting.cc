#include "client/spec/spec_setting.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/recipe/presets.h"
#include "client/spec/enum_text.h"
#include "client/spec/local_spec.h"
#include "client/spec/parse_number.h"
#include "client/spec/spec_field.h"

namespace mixfeed {
namespace {

// Fields of another recipe would make it something that has neither's name.
std::string SetRecipe(const std::string& text, v1::FeedSpec* spec) {
  const std::string& given = spec->recipe().preset();
  if ((given.empty() ? kDefaultPreset : given) != text) spec->clear_recipe();
  spec->mutable_recipe()->set_preset(text);
  return "";
}

std::string SetStatistics(const std::string& text, v1::FeedSpec* spec) {
  if (text != "batch" && text != "running")
    return absl::StrCat("'", text, "' is not batch or running");
  spec->mutable_recipe()->mutable_guess()->set_batch_statistics(text == "batch");
  return std::string();
}

std::string SetWeights(const std::string& text, v1::FeedSpec* spec) {
  if (text != "pushed" && text != "ema") return absl::StrCat("'", text, "' is not pushed or ema");
  spec->mutable_recipe()->mutable_guess()->set_ema(text == "ema");
  return "";
}

std::string SetPool(const std::string& text, v1::FeedSpec* spec) {
  const auto& type = *v1::Pool_descriptor();
  for (const std::string& name : EnumTexts(type)) {
    if (name != text) continue;
    spec->mutable_recipe()->set_ordered_pool(static_cast<v1::Pool>(EnumNumber(type, text)));
    return "";
  }
  return absl::StrCat("'", text, "' is not one of labelled, unlabelled, validation, test");
}

// A count asks for a split; without a rule the server takes the recipe's, or its default.
std::string SetLabels(const std::string& text, v1::FeedSpec* spec) {
  v1::Split* split = spec->mutable_split();
  if (text == "all") {
    split->set_rule(v1::Split::ALL);
    return "";
  }
  uint64_t labelled = 0;
  const std::string wrong = ParseNumber<uint64_t>(text, [&](uint64_t n) { labelled = n; });
  if (!wrong.empty() || labelled == 0) {
    return absl::StrCat("'", text, "' is not all or a whole number from 1 up, in its range");
  }
  split->set_labelled(labelled);
  const bool counted = split->rule() == v1::Split::RULE_UNSPECIFIED ||
                       split->rule() == v1::Split::BALANCED || split->rule() == v1::Split::RANDOM;
  if (!counted) split->set_rule(v1::Split::MIXMATCH);
  return "";
}

// "lockstep", "delayed:3", "newest", "pinned:7".
std::string SetPolicy(const std::string& text, v1::FeedSpec* spec) {
  v1::Guess* const guess = spec->mutable_recipe()->mutable_guess();
  const size_t colon = std::min(text.find(':'), text.size());
  const std::string name = text.substr(0, colon);
  const std::string number = text.substr(std::min(colon + 1, text.size()));
  const bool counted = colon < text.size();
  if (name == "lockstep" && !counted) {
    guess->set_policy(v1::Guess::LOCKSTEP);
  } else if (name == "newest" && !counted) {
    guess->set_policy(v1::Guess::NEWEST);
  } else if (name == "delayed" && counted) {
    guess->set_policy(v1::Guess::DELAYED);
    return ParseNumber<uint32_t>(number, [guess](uint32_t n) { guess->set_delay(n); });
  } else if (name == "pinned" && counted) {
    guess->set_policy(v1::Guess::PINNED);
    return ParseNumber<uint32_t>(number, [guess](uint32_t n) { guess->set_version(n); });
  } else {
    return absl::StrCat("'", text, "' is not lockstep, delayed:UPDATES, newest or pinned:VERSION");
  }
  return "";
}

// A resolved spec has a beta; without it the server takes alpha.
std::string SetAlpha(const std::string& text, v1::FeedSpec* spec) {
  const auto local = ResolveLocally(*spec);
  const bool boxes = local.ok() && AlphaIsOfBoxes(local->recipe);
  return ParseNumber<double>(text, [spec, boxes](double alpha) {
    v1::Mix* const mix = spec->mutable_recipe()->mutable_mix();
    if (boxes) {
      mix->mutable_cutmix()->set_alpha(alpha);
      mix->mutable_cutmix()->clear_beta();
    } else {
      mix->set_alpha(alpha);
      mix->clear_beta();
    }
  });
}

const SpecSetting kSpecSettings[] = {
    {"recipe", "NAME",
     "a name of `mixfeed recipes`; default mixmatch. Over a --spec of another recipe it replaces "
     "the "
     "whole recipe there; dataset, split, seed and batch stay",
     SetRecipe},
    {"dataset", "NAME", "the server's name of the dataset; not needed when it has only one",
     [](const std::string& text, v1::FeedSpec* spec) {
       spec->set_dataset(text);
       return std::string();
     }},
    {"labels", "N|all",
     "labelled images, from 1 up; all: every training image. Default: the recipe's, 250 or all",
     SetLabels},
    {"validation", "N", "images held out from training, from 0 up; default: the recipe's, mostly 0",
     [](const std::string& text, v1::FeedSpec* spec) {
       return ParseNumber<uint64_t>(
           text, [spec](uint64_t n) { spec->mutable_split()->set_validation(n); });
     }},
    {"split-seed", "N", "which images are labelled, 0..4294967295; default 1. 0: not shuffled",
     [](const std::string& text, v1::FeedSpec* spec) {
       return ParseNumber<uint64_t>(text,
                                    [spec](uint64_t n) { spec->mutable_split()->set_seed(n); });
     },
     "split.seed"},
    {"seed", "N", "everything random but the split, from 0 up; default 0",
     [](const std::string& text, v1::FeedSpec* spec) {
       return ParseNumber<uint64_t>(text, [spec](uint64_t n) { spec->set_seed(n); });
     }},
    {"batch", "N", "labelled images a step, 1..4096; default 64. mixmatch has N (views + 1) rows",
     [](const std::string& text, v1::FeedSpec* spec) {
       return ParseNumber<uint32_t>(text, [spec](uint32_t n) { spec->set_batch(n); });
     }},
    {"views", "K", "views of every unlabelled image, 1..8; default: the recipe's",
     [](const std::string& text, v1::FeedSpec* spec) {
       return ParseNumber<uint32_t>(text,
                                    [spec](uint32_t n) { spec->mutable_recipe()->set_views(n); });
     },
     "recipe.views"},
    {"temperature", "T", "of sharpening pseudo-labels, 0.01..100; default: the recipe's",
     [](const std::string& text, v1::FeedSpec* spec) {
       return ParseNumber<double>(
           text, [spec](double t) { spec->mutable_recipe()->mutable_guess()->set_temperature(t); });
     },
     "recipe.guess.temperature"},
    {kAlphaSetting, "A",
     "lambda is drawn from Beta(A, A), 0.01..101 (label-preserving: Beta(A + 1, A)); default: the "
     "recipe's. Of a recipe of boxes alone (cutmix) it is their alpha, recipe.mix.cutmix.alpha; "
     "with boxes and blends (mixup-cutmix) that of the blends",
     SetAlpha},
    {"model", "NAME[,NAME...]",
     "the guess model, not needed when the server has only one; of several the mean guess counts",
     [](const std::string& text, v1::FeedSpec* spec) {
       spec->mutable_recipe()->mutable_guess()->set_model(text);
       return std::string();
     },
     "recipe.guess.model"},
    {"policy", "WHICH",
     "weights that guess a step, of a model to which a trainer pushes: lockstep (exactly the "
     "step's update), delayed:UPDATES, newest, pinned:VERSION. Default: lockstep for `open` "
     "and mixfeed-train, newest for commands that look",
     SetPolicy, "recipe.guess.policy"},
    {"weights", "pushed|ema",
     "with which the model guesses: those that its trainer pushed (the default), or their moving "
     "average (`mixfeed model register --ema-decay`)",
     SetWeights, "recipe.guess.ema"},
    {"statistics", "batch|running",
     "of batch norm, with which the model guesses: the step's own (the default), or the model's",
     SetStatistics, "recipe.guess.batch_statistics"},
    {"pool", "NAME", "what eval goes through: test (the default), validation, labelled, unlabelled",
     SetPool, "recipe.ordered_pool"},
};

// InvalidArgument where something is wrong.
absl::Status Checked(const std::string& name, const std::string& wrong) {
  if (wrong.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(name.empty() ? wrong : absl::StrCat(name, ": ", wrong));
}

absl::Status SetFields(const std::vector<std::string>& fields, v1::FeedSpec* spec) {
  for (const std::string& field : fields) {
    MIXFEED_RETURN_IF_ERROR(Checked("", SetSpecField(field, spec)));
  }
  return absl::OkStatus();
}

}  // namespace

std::span<const SpecSetting> SpecSettings() { return kSpecSettings; }

absl::Status ApplySettings(const std::map<std::string, std::string>& texts,
                           const std::vector<std::string>& fields, v1::FeedSpec* spec) {
  // What alpha is of depends on all the others.
  const SpecSetting* alpha = nullptr;
  for (const SpecSetting& setting : kSpecSettings) {
    const auto text = texts.find(setting.name);
    if (text == texts.end() || text->second.empty()) continue;
    if (setting.name == std::string_view(kAlphaSetting)) {
      alpha = &setting;
    } else {
      MIXFEED_RETURN_IF_ERROR(Checked(setting.name, setting.apply(text->second, spec)));
    }
  }
  MIXFEED_RETURN_IF_ERROR(SetFields(fields, spec));
  if (alpha == nullptr) return absl::OkStatus();
  MIXFEED_RETURN_IF_ERROR(Checked(alpha->name, alpha->apply(texts.at(kAlphaSetting), spec)));
  return SetFields(fields, spec);
}

}  // namespace mixfeed
