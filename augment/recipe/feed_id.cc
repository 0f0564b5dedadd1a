#include <xxhash.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "augment/recipe/enum_names.h"
#include "augment/recipe/feed_spec.h"

namespace mixfeed {
namespace {

std::string Hex128(const std::string& bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return absl::StrFormat("%016x%016x", hash.high64, hash.low64);
}

// Collects "name=value" lines. Values are spelled so that equal values have one spelling: doubles
// round-trip exactly, text is escaped.
class Lines {
 public:
  void Add(const char* name, const char* value) { absl::StrAppend(&text_, name, "=", value, "\n"); }
  void Add(const char* name, const std::string& value) { Add(name, absl::CEscape(value).c_str()); }
  void Add(const char* name, int64_t value) { Add(name, absl::StrCat(value).c_str()); }
  void Add(const char* name, uint64_t value) { Add(name, absl::StrCat(value).c_str()); }
  void Add(const char* name, int value) { Add(name, int64_t{value}); }
  void Add(const char* name, uint32_t value) { Add(name, uint64_t{value}); }
  void Add(const char* name, bool value) { Add(name, value ? "true" : "false"); }
  void Add(const char* name, double value) {
    // -0.0 + 0.0 is 0.0, which has one spelling.
    Add(name, absl::StrFormat("%.17g", value + 0.0).c_str());
  }

  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

// Lists whose order makes no difference are hashed sorted: the planner sorts that of the unlabelled
// pool, and all of an ordered feed.
std::string HashOfLists(Split lists, RowSource rows) {
  std::sort(lists.unlabelled.begin(), lists.unlabelled.end());
  if (rows == RowSource::kOrdered) {
    std::sort(lists.labelled.begin(), lists.labelled.end());
    std::sort(lists.validation.begin(), lists.validation.end());
  }
  return Hex128(absl::StrCat("labelled ", absl::StrJoin(lists.labelled, " "), "\nunlabelled ",
                             absl::StrJoin(lists.unlabelled, " "), "\nvalidation ",
                             absl::StrJoin(lists.validation, " "), "\n"));
}

// Whether the split's rule draws with the split's seed.
bool UsesSplitSeed(const SplitSpec& split) {
  if (split.rule == SplitRule::kLists) return false;
  return split.rule != SplitRule::kAll || split.validation > 0;
}

bool ReadsUnlabelledPool(const Recipe& recipe) {
  return recipe.guesses() ||
         (recipe.rows == RowSource::kOrdered && recipe.ordered_pool == PoolId::kUnlabelled);
}

void AddSplit(const FeedSpec& spec, Lines* lines) {
  const SplitSpec& split = spec.split;
  lines->Add("split.rule", NameOf(split.rule));
  switch (split.rule) {
    case SplitRule::kMixMatch:
    case SplitRule::kBalanced:
    case SplitRule::kRandom:
      lines->Add("split.labelled", split.labelled);
      break;
    case SplitRule::kPerClass:
      lines->Add("split.per_class", absl::StrJoin(split.per_class, " "));
      break;
    case SplitRule::kAll:
      break;
    case SplitRule::kLists:
      lines->Add("split.lists", HashOfLists(split.lists, spec.recipe.rows));
      break;
  }
  if (split.rule != SplitRule::kLists) lines->Add("split.validation", split.validation);
  if (UsesSplitSeed(split)) lines->Add("split.seed", split.seed);
  if (ReadsUnlabelledPool(spec.recipe)) {
    lines->Add("split.unlabelled_includes_labelled", split.unlabelled_includes_labelled);
  }
}

void AddView(const ViewSpec& view, Lines* lines) {
  lines->Add("recipe.view.flip_probability", view.flip_probability);
  lines->Add("recipe.view.pad", view.pad);
  if (view.pad > 0) lines->Add("recipe.view.pad_mode", NameOf(view.pad_mode));
}

void AddGuess(const Recipe& recipe, Lines* lines) {
  lines->Add("recipe.views", recipe.views);
  lines->Add("recipe.unlabelled_sampling", NameOf(recipe.unlabelled_sampling));
  lines->Add("recipe.guess.model", recipe.guess.model);
  lines->Add("recipe.guess.temperature", recipe.guess.temperature);
  lines->Add("recipe.guess.batch_statistics", recipe.guess.batch_statistics);
}

void AddMix(const MixSpec& mix, Lines* lines) {
  lines->Add("recipe.mix.enabled", mix.enabled);
  if (!mix.enabled) return;
  lines->Add("recipe.mix.alpha", mix.alpha);
  lines->Add("recipe.mix.beta", mix.beta);
  lines->Add("recipe.mix.lambda_scope", NameOf(mix.lambda_scope));
  lines->Add("recipe.mix.lambda_floor", mix.lambda_floor);
  lines->Add("recipe.mix.pairing", NameOf(mix.pairing));
}

}  // namespace

std::string CanonicalText(const FeedSpec& spec) {
  const Recipe& recipe = spec.recipe;
  const bool ordered = recipe.rows == RowSource::kOrdered;
  Lines lines;
  lines.Add("plan_version", spec.plan_version);
  lines.Add("dataset", spec.dataset);
  lines.Add("batch", spec.batch);
  lines.Add("recipe.rows", NameOf(recipe.rows));
  if (ordered) {
    lines.Add("recipe.ordered_pool", NameOf(recipe.ordered_pool));
    if (recipe.ordered_pool != PoolId::kTest) AddSplit(spec, &lines);
    return lines.Take();
  }
  AddSplit(spec, &lines);
  lines.Add("seed", spec.seed);
  AddView(recipe.view, &lines);
  lines.Add("recipe.labelled_sampling", NameOf(recipe.labelled_sampling));
  if (recipe.guesses()) AddGuess(recipe, &lines);
  AddMix(recipe.mix, &lines);
  return lines.Take();
}

std::string FeedId(const FeedSpec& spec, uint64_t dataset_fingerprint, const std::string& run) {
  // The run comes last, so that no name can be taken for another spec's line.
  return Hex128(
      absl::StrCat(CanonicalText(spec), "fingerprint=", dataset_fingerprint, "\nrun=", run));
}

}  // namespace mixfeed
