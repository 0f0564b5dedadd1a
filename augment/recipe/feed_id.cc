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
#include "augment/recipe/fields.h"

namespace mixfeed {
namespace {

std::string Hex128(const std::string& bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return absl::StrFormat("%016x%016x", hash.high64, hash.low64);
}

// Collects "name=value" lines; text is escaped.
class Lines {
 public:
  void Add(const char* name, const char* value) { absl::StrAppend(&text_, name, "=", value, "\n"); }
  void Add(const char* name, const std::string& value) { Add(name, absl::CEscape(value).c_str()); }
  void Add(const char* name, int64_t value) { Add(name, absl::StrCat(value).c_str()); }
  void Add(const char* name, uint64_t value) { Add(name, absl::StrCat(value).c_str()); }
  void Add(const char* name, int value) { Add(name, int64_t{value}); }
  void Add(const char* name, uint32_t value) { Add(name, uint64_t{value}); }
  void Add(const char* name, bool value) { Add(name, value ? "true" : "false"); }

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
  if (spec.recipe.reads_unlabelled() || (spec.recipe.rows == RowSource::kOrdered &&
                                         spec.recipe.ordered_pool == PoolId::kUnlabelled)) {
    lines->Add("split.unlabelled_includes_labelled", split.unlabelled_includes_labelled);
  }
}

// The fields of a recipe that are read, in order, and not left out as later ones with the value
// that recipes had before them.
class FieldLines {
 public:
  explicit FieldLines(const Recipe& recipe) : recipe_(recipe) {
    VisitFields(before_, [this](const RecipeField&, const auto& value) {
      before_texts_.push_back(FieldText(value));
    });
    VisitFields(recipe_, [this](const RecipeField& field, const auto& value) {
      Add(field, FieldText(value));
    });
  }

  // The first line, and those of the fields behind it.
  void AddRowsTo(Lines* lines) const { AddTo(0, 1, lines); }
  void AddOthersTo(Lines* lines) const { AddTo(1, lines_.size(), lines); }

 private:
  void Add(const RecipeField& field, const std::string& text) {
    const std::string& before = before_texts_[visited_++];
    if (!field.read(recipe_) || (field.later && text == before)) return;
    lines_.emplace_back(absl::StrCat("recipe.", field.path), text);
  }
  void AddTo(size_t begin, size_t end, Lines* lines) const {
    for (size_t i = begin; i < end; ++i) lines->Add(lines_[i].first.c_str(), lines_[i].second);
  }

  const Recipe& recipe_;
  const Recipe before_;
  std::vector<std::string> before_texts_;
  size_t visited_ = 0;
  std::vector<std::pair<std::string, std::string>> lines_;
};

}  // namespace

std::string CanonicalText(const FeedSpec& spec) {
  const FieldLines fields(spec.recipe);
  const bool ordered = spec.recipe.rows == RowSource::kOrdered;
  Lines lines;
  lines.Add("plan_version", spec.plan_version);
  lines.Add("dataset", spec.dataset);
  lines.Add("batch", spec.batch);
  fields.AddRowsTo(&lines);
  if (ordered) {
    fields.AddOthersTo(&lines);
    if (spec.recipe.ordered_pool != PoolId::kTest) AddSplit(spec, &lines);
    return lines.Take();
  }
  AddSplit(spec, &lines);
  lines.Add("seed", spec.seed);
  fields.AddOthersTo(&lines);
  return lines.Take();
}

std::string FeedId(const FeedSpec& spec, uint64_t dataset_fingerprint, const std::string& run,
                   uint64_t features_fingerprint) {
  std::string text = CanonicalText(spec);
  if (features_fingerprint != 0) absl::StrAppend(&text, "features=", features_fingerprint, "\n");
  // The run comes last, so that no name can be taken for another spec's line.
  return Hex128(absl::StrCat(text, "fingerprint=", dataset_fingerprint, "\nrun=", run));
}

}  // namespace mixfeed
