#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "augment/recipe/feed_spec.h"
#include "augment/recipe/presets.h"

namespace mixfeed {
namespace {

using Change = std::function<void(FeedSpec*)>;

FeedSpec Spec(const char* preset) {
  FeedSpec spec;
  spec.dataset = "cifar10";
  spec.recipe = FindPreset(preset).value();
  spec.seed = 3;
  return spec;
}

FeedSpec Changed(FeedSpec spec, const Change& change) {
  change(&spec);
  return spec;
}

// Feed ids are kept in journals, so the text is a format: it never changes under one plan version.
TEST(CanonicalTextTest, OfMixMatchIsThis) {
  EXPECT_EQ(CanonicalText(Spec("mixmatch")),
            "plan_version=1\n"
            "dataset=cifar10\n"
            "batch=64\n"
            "recipe.rows=labelled_and_unlabelled\n"
            "split.rule=mixmatch\n"
            "split.labelled=250\n"
            "split.validation=0\n"
            "split.seed=1\n"
            "split.unlabelled_includes_labelled=false\n"
            "seed=3\n"
            "recipe.view.flip_probability=0.5\n"
            "recipe.view.pad=4\n"
            "recipe.view.pad_mode=reflect\n"
            "recipe.labelled_sampling=epochs\n"
            "recipe.views=2\n"
            "recipe.unlabelled_sampling=epochs\n"
            "recipe.guess.model=\n"
            "recipe.guess.temperature=0.5\n"
            "recipe.guess.batch_statistics=true\n"
            "recipe.mix.enabled=true\n"
            "recipe.mix.alpha=0.75\n"
            "recipe.mix.beta=0.75\n"
            "recipe.mix.lambda_scope=per_row\n"
            "recipe.mix.lambda_floor=true\n"
            "recipe.mix.pairing=permutation\n");
}

TEST(CanonicalTextTest, OfAnOrderedTestPassIsThis) {
  EXPECT_EQ(CanonicalText(Spec("eval")),
            "plan_version=1\n"
            "dataset=cifar10\n"
            "batch=64\n"
            "recipe.rows=ordered\n"
            "recipe.ordered_pool=test\n");
}

TEST(CanonicalTextTest, EveryFieldThatIsReadChangesIt) {
  const Change changes[] = {
      [](FeedSpec*) {},
      [](FeedSpec* s) { s->plan_version = 2; },
      [](FeedSpec* s) { s->dataset = "cifar100"; },
      [](FeedSpec* s) { s->batch = 63; },
      [](FeedSpec* s) { s->seed = 4; },
      [](FeedSpec* s) { s->split.rule = SplitRule::kBalanced; },
      [](FeedSpec* s) { s->split.rule = SplitRule::kAll; },
      [](FeedSpec* s) { s->split.seed = 2; },
      [](FeedSpec* s) { s->split.labelled = 500; },
      [](FeedSpec* s) { s->split.validation = 1; },
      [](FeedSpec* s) { s->split.unlabelled_includes_labelled = true; },
      [](FeedSpec* s) { s->recipe.rows = RowSource::kLabelled; },
      [](FeedSpec* s) { s->recipe.rows = RowSource::kOrdered; },
      [](FeedSpec* s) { s->recipe.views = 3; },
      [](FeedSpec* s) { s->recipe.view.flip_probability = 0.25; },
      [](FeedSpec* s) { s->recipe.view.pad = 3; },
      [](FeedSpec* s) { s->recipe.view.pad_mode = PadMode::kEdge; },
      [](FeedSpec* s) { s->recipe.labelled_sampling = Sampling::kWithReplacement; },
      [](FeedSpec* s) { s->recipe.unlabelled_sampling = Sampling::kWithReplacement; },
      [](FeedSpec* s) { s->recipe.guess.model = "wrn"; },
      [](FeedSpec* s) { s->recipe.guess.temperature = 1; },
      [](FeedSpec* s) { s->recipe.guess.batch_statistics = false; },
      [](FeedSpec* s) { s->recipe.mix.enabled = false; },
      [](FeedSpec* s) { s->recipe.mix.alpha = 0.5; },
      [](FeedSpec* s) { s->recipe.mix.beta = 0.5; },
      [](FeedSpec* s) { s->recipe.mix.lambda_scope = DrawScope::kPerBatch; },
      [](FeedSpec* s) { s->recipe.mix.lambda_floor = false; },
      [](FeedSpec* s) { s->recipe.mix.pairing = Pairing::kReversed; },
  };
  std::set<std::string> texts;
  for (const Change& change : changes)
    texts.insert(CanonicalText(Changed(Spec("mixmatch"), change)));
  EXPECT_EQ(texts.size(), std::size(changes));
}

struct Unread {
  FeedSpec spec;
  Change change;
};

TEST(CanonicalTextTest, FieldsThatAreNotReadAreLeftOut) {
  const auto with_rule = [](SplitRule rule) {
    FeedSpec spec = Spec("mixup");
    spec.split.rule = rule;
    return spec;
  };
  const Unread cases[] = {
      {Spec("mixmatch"), [](FeedSpec* s) { s->recipe.preset = "mine"; }},
      {Spec("mixmatch"), [](FeedSpec* s) { s->recipe.ordered_pool = PoolId::kLabelled; }},
      {Spec("mixmatch"),
       [](FeedSpec* s) {
         s->split.per_class = {1, 2};
       }},
      {Spec("mixmatch"),
       [](FeedSpec* s) {
         s->split.lists.labelled = {1, 2};
       }},
      {Changed(Spec("mixmatch"), [](FeedSpec* s) { s->recipe.view.pad = 0; }),
       [](FeedSpec* s) { s->recipe.view.pad_mode = PadMode::kZero; }},
      {Spec("mixup"), [](FeedSpec* s) { s->recipe.guess.temperature = 1; }},
      {Spec("mixup"), [](FeedSpec* s) { s->recipe.guess.model = "wrn"; }},
      {Spec("mixup"),
       [](FeedSpec* s) { s->recipe.unlabelled_sampling = Sampling::kWithReplacement; }},
      {Spec("mixup"), [](FeedSpec* s) { s->split.unlabelled_includes_labelled = true; }},
      {Spec("supervised"), [](FeedSpec* s) { s->recipe.mix.alpha = 2; }},
      {Spec("supervised"), [](FeedSpec* s) { s->recipe.mix.pairing = Pairing::kRolled; }},
      {Spec("eval"), [](FeedSpec* s) { s->seed = 9; }},
      {Spec("eval"), [](FeedSpec* s) { s->split.seed = 9; }},
      {with_rule(SplitRule::kAll), [](FeedSpec* s) { s->split.seed = 9; }},
      {with_rule(SplitRule::kAll), [](FeedSpec* s) { s->split.labelled = 9; }},
      {with_rule(SplitRule::kLists), [](FeedSpec* s) { s->split.seed = 9; }},
      {with_rule(SplitRule::kLists), [](FeedSpec* s) { s->split.validation = 9; }},
      {with_rule(SplitRule::kPerClass), [](FeedSpec* s) { s->split.labelled = 9; }},
  };
  for (const Unread& c : cases) {
    EXPECT_EQ(CanonicalText(Changed(c.spec, c.change)), CanonicalText(c.spec));
  }
}

TEST(CanonicalTextTest, WhatARuleReadsIsKept) {
  const auto differs = [](SplitRule rule, const Change& change) {
    FeedSpec spec = Spec("mixup");
    spec.split.rule = rule;
    return CanonicalText(Changed(spec, change)) != CanonicalText(spec);
  };
  EXPECT_TRUE(differs(SplitRule::kPerClass, [](FeedSpec* s) { s->split.per_class = {1, 2}; }));
  EXPECT_TRUE(differs(SplitRule::kRandom, [](FeedSpec* s) { s->split.seed = 9; }));
  const auto seed_of_all = [](uint64_t seed) {
    return CanonicalText(Changed(Spec("mixup"), [seed](FeedSpec* s) {
      s->split = {.rule = SplitRule::kAll, .seed = seed, .validation = 5};
    }));
  };
  EXPECT_NE(seed_of_all(1), seed_of_all(2));
}

TEST(CanonicalTextTest, ListsDifferByContentOrderAndPlace) {
  const Split lists[] = {
      {},
      {.labelled = {1, 2}},
      {.labelled = {2, 1}},
      {.labelled = {12}},
      {.labelled = {1}, .unlabelled = {2}},
      {.labelled = {1}, .validation = {2}},
      {.unlabelled = {1, 2}},
  };
  std::set<std::string> texts;
  for (const Split& split : lists) {
    FeedSpec spec = Spec("mixmatch");
    spec.split.rule = SplitRule::kLists;
    spec.split.lists = split;
    texts.insert(CanonicalText(spec));
  }
  EXPECT_EQ(texts.size(), std::size(lists));
}

// The planner sorts these lists, so that their order makes no other batches.
TEST(CanonicalTextTest, TheOrderOfListsThatAreSortedMakesNoOtherFeed) {
  const auto text_of = [](const char* preset, const Split& lists) {
    FeedSpec spec = Spec(preset);
    spec.split.rule = SplitRule::kLists;
    spec.split.lists = lists;
    spec.recipe.ordered_pool = PoolId::kValidation;
    return CanonicalText(spec);
  };
  EXPECT_EQ(text_of("mixmatch", {.labelled = {1}, .unlabelled = {3, 2}}),
            text_of("mixmatch", {.labelled = {1}, .unlabelled = {2, 3}}));
  EXPECT_NE(text_of("mixmatch", {.labelled = {1}, .unlabelled = {3, 2}}),
            text_of("mixmatch", {.labelled = {1}, .unlabelled = {3, 4}}));
  EXPECT_EQ(text_of("eval", {.labelled = {4, 1}, .unlabelled = {}, .validation = {3, 2}}),
            text_of("eval", {.labelled = {1, 4}, .unlabelled = {}, .validation = {2, 3}}));
  EXPECT_NE(text_of("mixup", {.labelled = {4, 1}}), text_of("mixup", {.labelled = {1, 4}}));
}

TEST(CanonicalTextTest, LongListsTakeNoMoreRoom) {
  FeedSpec spec = Spec("mixmatch");
  spec.split.rule = SplitRule::kLists;
  const size_t empty = CanonicalText(spec).size();
  spec.split.lists.unlabelled.assign(50000, 7);
  EXPECT_EQ(CanonicalText(spec).size(), empty);
}

TEST(CanonicalTextTest, NeighbouringDoublesDifferAndZeroHasOneSpelling) {
  const auto with_flip = [](double probability) {
    return CanonicalText(Changed(
        Spec("mixup"), [=](FeedSpec* s) { s->recipe.view.flip_probability = probability; }));
  };
  EXPECT_NE(with_flip(0.1), with_flip(std::nextafter(0.1, 1)));
  EXPECT_EQ(with_flip(0.0), with_flip(-0.0));
}

TEST(CanonicalTextTest, NamesCannotForgeLines) {
  FeedSpec spec = Spec("mixmatch");
  spec.dataset = "a\nbatch=1";
  EXPECT_NE(CanonicalText(spec).find("dataset=a\\nbatch=1\nbatch=64\n"), std::string::npos);
}

TEST(FeedIdTest, IsThirtyTwoHexDigits) {
  const std::string id = FeedId(Spec("mixmatch"), 5, "run");
  EXPECT_EQ(id.size(), 32u);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(FeedId(Spec("mixmatch"), 5, "run"), id);
}

TEST(FeedIdTest, DependsOnSpecDatasetAndRun) {
  const FeedSpec spec = Spec("mixmatch");
  const std::set<std::string> ids = {FeedId(spec, 5, "run"),          FeedId(spec, 6, "run"),
                                     FeedId(spec, 5, "ruN"),          FeedId(spec, 5, ""),
                                     FeedId(Spec("mixup"), 5, "run"), FeedId(spec, 5, "run\n")};
  EXPECT_EQ(ids.size(), 6u);
}

// The hash was made with xxhsum -H2 from the lines of OfAnOrderedTestPassIsThis, "fingerprint=5\n"
// and "run=r".
TEST(FeedIdTest, IsTheHashThatXxhsumPrints) {
  EXPECT_EQ(FeedId(Spec("eval"), 5, "r"), "b7b348ba4f38dcbb0f7e85f72e3d6bb4");
}

}  // namespace
}  // namespace mixfeed
