#include "augment/pool/split.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/pool/dataset.h"
#include "augment/pool/greedy_classes.h"
#include "augment/pool/numpy_random.h"

namespace mixfeed {
namespace {

using Indices = std::vector<int32_t>;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("split.", parts...));
}

// What every rule starts from: the images, and the classes' index lists in file order.
struct Source {
  std::span<const int16_t> labels;
  std::vector<Indices> classes;

  int64_t count() const { return static_cast<int64_t>(labels.size()); }
  std::vector<int64_t> class_sizes() const {
    std::vector<int64_t> sizes;
    for (const Indices& members : classes) sizes.push_back(static_cast<int64_t>(members.size()));
    return sizes;
  }
};

absl::StatusOr<Source> MakeSource(std::span<const int16_t> labels, int num_classes) {
  if (labels.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    return Invalid("labels: ", labels.size(), " images; allowed are up to 2147483647");
  }
  Source source{.labels = labels,
                .classes = std::vector<Indices>(static_cast<size_t>(num_classes))};
  for (size_t i = 0; i < labels.size(); ++i) {
    const int16_t label = labels[i];
    if (label == kNoLabel) continue;
    if (label < 0 || label >= num_classes) {
      return Invalid("labels: image ", i, " has label ", label, "; allowed are 0 to ",
                     num_classes - 1);
    }
    source.classes[static_cast<size_t>(label)].push_back(static_cast<int32_t>(i));
  }
  return source;
}

// Every index of 0..count-1 that is in none of `lists`, in order.
Indices AllBut(int64_t count, std::initializer_list<const Indices*> lists) {
  std::vector<bool> taken(static_cast<size_t>(count));
  for (const Indices* list : lists) {
    for (int32_t i : *list) taken[static_cast<size_t>(i)] = true;
  }
  Indices rest;
  for (int32_t i = 0; i < count; ++i) {
    if (!taken[static_cast<size_t>(i)]) rest.push_back(i);
  }
  return rest;
}

// `count` of `from` at random, in ascending order.
Indices Draw(Indices from, int64_t count, NumpyRandom* random) {
  random->Shuffle(std::span(from));
  from.resize(static_cast<size_t>(count));
  std::sort(from.begin(), from.end());
  return from;
}

absl::Status CheckNoEmptyClass(const Source& source) {
  if (source.classes.empty()) return Invalid("rule needs classes; the dataset has none");
  for (size_t c = 0; c < source.classes.size(); ++c) {
    if (source.classes[c].empty()) {
      return Invalid("rule needs images of every class; class ", c, " has none");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckCount(const char* field, int64_t value, int64_t available) {
  if (value >= 0 && value <= available) return absl::OkStatus();
  return Invalid(field, " is ", value, "; allowed are 0 to ", available);
}

// --- kMixMatch ---

absl::StatusOr<Indices> MixMatchLabelled(const Source& source, const SplitSpec& spec) {
  std::vector<Indices> classes = source.classes;
  if (spec.seed != 0) {
    NumpyRandom random(static_cast<uint32_t>(spec.seed));
    for (Indices& members : classes) random.Shuffle(std::span(members));
  }
  Indices labelled;
  std::vector<size_t> taken(classes.size());
  GreedyClasses greedy(source.class_sizes());
  for (int64_t i = 0; i < spec.labelled; ++i) {
    const int c = greedy.Next();
    const Indices& members = classes[static_cast<size_t>(c)];
    size_t& next = taken[static_cast<size_t>(c)];
    if (next == members.size()) {
      return Invalid("labelled is ", spec.labelled, "; class ", c, " has only ", members.size(),
                     " images");
    }
    labelled.push_back(members[next++]);
    greedy.Take(c);
  }
  // The official script writes the labelled records in file order.
  std::sort(labelled.begin(), labelled.end());
  return labelled;
}

// The script passes over the images in file order, queues each with its class, and writes from the
// queues as long as the class that comes next has one; what is left at the end follows class by
// class. Images without a label, which it does not know, come last.
Indices MixMatchUnlabelled(const Source& source, const Indices& labelled) {
  std::vector<std::deque<int32_t>> queues(source.classes.size());
  GreedyClasses greedy(source.class_sizes());
  Indices unlabelled;
  Indices without_label;
  for (int32_t i : AllBut(source.count(), {&labelled})) {
    const int16_t label = source.labels[static_cast<size_t>(i)];
    if (label == kNoLabel) {
      without_label.push_back(i);
      continue;
    }
    queues[static_cast<size_t>(label)].push_back(i);
    for (int c = greedy.Next(); !queues[static_cast<size_t>(c)].empty(); c = greedy.Next()) {
      unlabelled.push_back(queues[static_cast<size_t>(c)].front());
      queues[static_cast<size_t>(c)].pop_front();
      greedy.Take(c);
    }
  }
  for (const auto& queue : queues) unlabelled.insert(unlabelled.end(), queue.begin(), queue.end());
  unlabelled.insert(unlabelled.end(), without_label.begin(), without_label.end());
  return unlabelled;
}

absl::StatusOr<Split> MixMatchSplit(const Source& source, const SplitSpec& spec) {
  MIXFEED_RETURN_IF_ERROR(CheckNoEmptyClass(source));
  Split split;
  MIXFEED_ASSIGN_OR_RETURN(split.labelled, MixMatchLabelled(source, spec));
  split.unlabelled = MixMatchUnlabelled(source, split.labelled);
  MIXFEED_RETURN_IF_ERROR(
      CheckCount("validation", spec.validation, static_cast<int64_t>(split.unlabelled.size())));
  const auto first_unlabelled = split.unlabelled.begin() + spec.validation;
  split.validation.assign(split.unlabelled.begin(), first_unlabelled);
  split.unlabelled.erase(split.unlabelled.begin(), first_unlabelled);
  return split;
}

// --- rules that draw the labelled images, then the validation images from the rest ---

// Draws counts[c] images of each class c, class after class.
Indices DrawPerClass(const Source& source, const std::vector<int64_t>& counts,
                     NumpyRandom* random) {
  Indices drawn;
  for (size_t c = 0; c < counts.size(); ++c) {
    const Indices members = Draw(source.classes[c], counts[c], random);
    drawn.insert(drawn.end(), members.begin(), members.end());
  }
  std::sort(drawn.begin(), drawn.end());
  return drawn;
}

absl::StatusOr<Split> DrawRest(const Source& source, const SplitSpec& spec, Indices labelled,
                               NumpyRandom* random) {
  Split split{.labelled = std::move(labelled), .unlabelled = {}, .validation = {}};
  Indices rest = AllBut(source.count(), {&split.labelled});
  MIXFEED_RETURN_IF_ERROR(
      CheckCount("validation", spec.validation, static_cast<int64_t>(rest.size())));
  split.validation = Draw(std::move(rest), spec.validation, random);
  split.unlabelled = AllBut(source.count(), {&split.labelled, &split.validation});
  return split;
}

absl::StatusOr<Split> PerClassSplit(const Source& source, const SplitSpec& spec) {
  if (spec.per_class.size() != source.classes.size()) {
    return Invalid("per_class has ", spec.per_class.size(), " entries; allowed are ",
                   source.classes.size(), ", one a class");
  }
  for (size_t c = 0; c < spec.per_class.size(); ++c) {
    MIXFEED_RETURN_IF_ERROR(CheckCount(absl::StrCat("per_class[", c, "]").c_str(),
                                       spec.per_class[c],
                                       static_cast<int64_t>(source.classes[c].size())));
  }
  NumpyRandom random(static_cast<uint32_t>(spec.seed));
  Indices labelled = DrawPerClass(source, spec.per_class, &random);
  return DrawRest(source, spec, std::move(labelled), &random);
}

absl::StatusOr<Split> BalancedSplit(const Source& source, const SplitSpec& spec) {
  MIXFEED_RETURN_IF_ERROR(CheckNoEmptyClass(source));
  const auto classes = static_cast<int64_t>(source.classes.size());
  if (spec.labelled % classes != 0) {
    return Invalid("labelled is ", spec.labelled, "; allowed are multiples of ", classes,
                   ", the number of classes");
  }
  const int64_t each = spec.labelled / classes;
  for (int64_t c = 0; c < classes; ++c) {
    const size_t size = source.classes[static_cast<size_t>(c)].size();
    if (each > static_cast<int64_t>(size)) {
      return Invalid("labelled is ", spec.labelled, ", ", each, " a class; class ", c, " has only ",
                     size, " images");
    }
  }
  SplitSpec per_class = spec;
  per_class.per_class.assign(source.classes.size(), each);
  return PerClassSplit(source, per_class);
}

absl::StatusOr<Split> RandomSplit(const Source& source, const SplitSpec& spec) {
  Indices candidates;
  for (int32_t i = 0; i < source.count(); ++i) {
    if (source.labels[static_cast<size_t>(i)] != kNoLabel) candidates.push_back(i);
  }
  MIXFEED_RETURN_IF_ERROR(
      CheckCount("labelled", spec.labelled, static_cast<int64_t>(candidates.size())));
  NumpyRandom random(static_cast<uint32_t>(spec.seed));
  Indices labelled = Draw(std::move(candidates), spec.labelled, &random);
  return DrawRest(source, spec, std::move(labelled), &random);
}

// --- rules that draw nothing, or only the validation images ---

absl::Status CheckAllLabelled(const Source& source, const Indices& labelled) {
  for (int32_t i : labelled) {
    if (source.labels[static_cast<size_t>(i)] == kNoLabel) {
      return Invalid("labelled has image ", i, ", which has no label");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Split> AllSplit(const Source& source, const SplitSpec& spec) {
  MIXFEED_RETURN_IF_ERROR(CheckCount("validation", spec.validation, source.count()));
  NumpyRandom random(static_cast<uint32_t>(spec.seed));
  Split split;
  split.validation = Draw(AllBut(source.count(), {}), spec.validation, &random);
  split.labelled = AllBut(source.count(), {&split.validation});
  MIXFEED_RETURN_IF_ERROR(CheckAllLabelled(source, split.labelled));
  return split;
}

// Marks the entries of `list` in `seen`, which has an element an image.
absl::Status MarkListed(const char* field, const Indices& list, std::vector<bool>* seen) {
  for (int32_t i : list) {
    if (i < 0 || static_cast<size_t>(i) >= seen->size()) {
      return Invalid("lists.", field, " has index ", i, "; allowed are 0 to ",
                     static_cast<int64_t>(seen->size()) - 1);
    }
    if ((*seen)[static_cast<size_t>(i)]) {
      return Invalid("lists.", field, " has index ", i, ", which is listed already");
    }
    (*seen)[static_cast<size_t>(i)] = true;
  }
  return absl::OkStatus();
}

absl::StatusOr<Split> ListsSplit(const Source& source, const SplitSpec& spec) {
  const Split& lists = spec.lists;
  std::vector<bool> seen(source.labels.size());
  MIXFEED_RETURN_IF_ERROR(MarkListed("validation", lists.validation, &seen));
  std::vector<bool> seen_labelled = seen;
  MIXFEED_RETURN_IF_ERROR(MarkListed("labelled", lists.labelled, &seen_labelled));
  if (!spec.unlabelled_includes_labelled) seen = std::move(seen_labelled);
  MIXFEED_RETURN_IF_ERROR(MarkListed("unlabelled", lists.unlabelled, &seen));
  MIXFEED_RETURN_IF_ERROR(CheckAllLabelled(source, lists.labelled));
  return lists;
}

// --- the table ---

struct RuleEntry {
  absl::StatusOr<Split> (*make)(const Source&, const SplitSpec&);
  bool draws;  // with spec.seed
};

// By SplitRule. To add a rule: an enumerator, a function like those above, a line here.
constexpr RuleEntry kRules[] = {
    {MixMatchSplit, true},  // kMixMatch
    {BalancedSplit, true},  // kBalanced
    {RandomSplit, true},    // kRandom
    {PerClassSplit, true},  // kPerClass
    {AllSplit, true},       // kAll
    {ListsSplit, false},    // kLists
};

absl::Status CheckSpec(const SplitSpec& spec) {
  if (static_cast<size_t>(spec.rule) >= std::size(kRules)) {
    return Invalid("rule is ", static_cast<int>(spec.rule), "; allowed are 0 to ",
                   std::size(kRules) - 1);
  }
  if (kRules[static_cast<size_t>(spec.rule)].draws && spec.seed > kMaxSplitSeed) {
    return Invalid("seed is ", spec.seed, "; allowed are 0 to ", kMaxSplitSeed);
  }
  if (spec.labelled < 0) return Invalid("labelled is ", spec.labelled, "; allowed are 0 and more");
  return absl::OkStatus();
}

// Appends the labelled images that are not in the unlabelled list yet.
void IncludeLabelled(int64_t count, Split* split) {
  std::vector<bool> unlabelled(static_cast<size_t>(count));
  for (int32_t i : split->unlabelled) unlabelled[static_cast<size_t>(i)] = true;
  for (int32_t i : split->labelled) {
    if (!unlabelled[static_cast<size_t>(i)]) split->unlabelled.push_back(i);
  }
}

}  // namespace

absl::StatusOr<Split> MakeSplit(std::span<const int16_t> labels, int num_classes,
                                const SplitSpec& spec) {
  MIXFEED_RETURN_IF_ERROR(CheckSpec(spec));
  MIXFEED_ASSIGN_OR_RETURN(const Source source, MakeSource(labels, num_classes));
  MIXFEED_ASSIGN_OR_RETURN(Split split, kRules[static_cast<size_t>(spec.rule)].make(source, spec));
  if (spec.unlabelled_includes_labelled) IncludeLabelled(source.count(), &split);
  return split;
}

}  // namespace mixfeed
