#include "server/core/spec_convert.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "augment/recipe/presets.h"

namespace mixfeed {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

FeedSpec Read(const v1::FeedSpec& proto) {
  const absl::StatusOr<FeedSpec> spec = SpecFromProto(proto);
  EXPECT_TRUE(spec.ok()) << spec.status();
  return spec.value_or(FeedSpec());
}

v1::FeedSpec Preset(const std::string& name) {
  v1::FeedSpec proto;
  proto.mutable_recipe()->set_preset(name);
  return proto;
}

TEST(SpecConvertTest, EmptySpecIsMixMatchAsPublished) {
  const FeedSpec spec = Read(v1::FeedSpec());
  EXPECT_EQ(spec.recipe, *FindPreset("mixmatch"));
  EXPECT_EQ(spec.recipe.preset, "mixmatch");
  EXPECT_EQ(spec.batch, 64);
  EXPECT_EQ(spec.seed, 0u);
  EXPECT_EQ(spec.dataset, "");
  EXPECT_EQ(spec.plan_version, kPlanVersion);
  EXPECT_EQ(spec.split.rule, SplitRule::kMixMatch);
  EXPECT_EQ(spec.split.labelled, 250);
  EXPECT_EQ(spec.split.seed, 1u);
}

TEST(SpecConvertTest, UnsetSplitRuleFollowsTheRecipe) {
  EXPECT_EQ(Read(Preset("mixmatch")).split.rule, SplitRule::kMixMatch);
  for (const char* name : {"mixup", "supervised", "eval"}) {
    EXPECT_EQ(Read(Preset(name)).split.rule, SplitRule::kAll) << name;
  }
}

TEST(SpecConvertTest, EveryPresetStartsFromItsRecipe) {
  for (const auto& preset : Presets()) {
    EXPECT_EQ(Read(Preset(preset.name)).recipe, preset.make()) << preset.name;
  }
}

TEST(SpecConvertTest, OverridesReachTheirFields) {
  v1::FeedSpec proto = Preset("mixmatch");
  proto.set_dataset("cifar");
  proto.set_seed(9);
  proto.set_batch(32);
  v1::Split* split = proto.mutable_split();
  split->set_rule(v1::Split::RANDOM);
  split->set_seed(4);
  split->set_labelled(100);
  split->set_validation(20);
  split->set_unlabelled_includes_labelled(true);
  v1::Recipe* recipe = proto.mutable_recipe();
  recipe->set_views(3);
  recipe->mutable_view()->set_flip_probability(0.25);
  recipe->mutable_view()->set_pad(2);
  recipe->mutable_view()->set_pad_mode(v1::View::EDGE);
  recipe->mutable_guess()->set_model("wide");
  recipe->mutable_guess()->set_temperature(0.7);
  recipe->mutable_guess()->set_batch_statistics(false);
  recipe->mutable_mix()->set_alpha(0.3);
  recipe->mutable_mix()->set_beta(0.4);
  recipe->mutable_mix()->set_lambda_scope(v1::Mix::PER_BATCH);
  recipe->mutable_mix()->set_lambda_floor(false);
  recipe->mutable_mix()->set_pairing(v1::Mix::ROLLED);
  recipe->set_labelled_sampling(v1::WITH_REPLACEMENT);
  recipe->set_unlabelled_sampling(v1::WITH_REPLACEMENT);

  const FeedSpec spec = Read(proto);
  EXPECT_EQ(spec.dataset, "cifar");
  EXPECT_EQ(spec.seed, 9u);
  EXPECT_EQ(spec.batch, 32);
  const SplitSpec expected_split{.rule = SplitRule::kRandom,
                                 .seed = 4,
                                 .labelled = 100,
                                 .per_class = {},
                                 .validation = 20,
                                 .unlabelled_includes_labelled = true,
                                 .lists = {}};
  EXPECT_EQ(spec.split, expected_split);
  Recipe expected;
  expected.views = 3;
  expected.view = {.flip_probability = 0.25, .pad = 2, .pad_mode = PadMode::kEdge};
  expected.guess = {.model = "wide", .temperature = 0.7, .batch_statistics = false};
  expected.mix = {.enabled = true,
                  .alpha = 0.3,
                  .beta = 0.4,
                  .lambda_scope = DrawScope::kPerBatch,
                  .lambda_floor = false,
                  .pairing = Pairing::kRolled};
  expected.labelled_sampling = Sampling::kWithReplacement;
  expected.unlabelled_sampling = Sampling::kWithReplacement;
  EXPECT_EQ(spec.recipe, expected);
}

TEST(SpecConvertTest, AlphaAloneSetsBeta) {
  v1::FeedSpec proto = Preset("mixup");
  proto.mutable_recipe()->mutable_mix()->set_alpha(0.2);
  EXPECT_EQ(Read(proto).recipe.mix.beta, 0.2);
  proto.mutable_recipe()->mutable_mix()->set_beta(0.5);
  EXPECT_EQ(Read(proto).recipe.mix.alpha, 0.2);
  EXPECT_EQ(Read(proto).recipe.mix.beta, 0.5);
}

TEST(SpecConvertTest, MixingCanBeTurnedOffAndOn) {
  v1::FeedSpec proto = Preset("mixup");
  proto.mutable_recipe()->mutable_mix()->set_enabled(false);
  EXPECT_FALSE(Read(proto).recipe.mix.enabled);
  proto = Preset("supervised");
  proto.mutable_recipe()->mutable_mix()->set_enabled(true);
  EXPECT_TRUE(Read(proto).recipe.mix.enabled);
}

TEST(SpecConvertTest, EvalTakesItsPool) {
  v1::FeedSpec proto = Preset("eval");
  EXPECT_EQ(Read(proto).recipe.ordered_pool, PoolId::kTest);
  proto.mutable_recipe()->set_ordered_pool(v1::VALIDATION);
  EXPECT_EQ(Read(proto).recipe.ordered_pool, PoolId::kValidation);
}

TEST(SpecConvertTest, ListsAreTakenInOrder) {
  v1::FeedSpec proto;
  proto.mutable_split()->set_rule(v1::Split::LISTS);
  for (const uint32_t i : {5u, 1u}) proto.mutable_split()->add_labelled_list(i);
  for (const uint32_t i : {9u, 7u, 8u}) proto.mutable_split()->add_unlabelled_list(i);
  proto.mutable_split()->add_validation_list(0);
  const Split lists = Read(proto).split.lists;
  EXPECT_THAT(lists.labelled, ElementsAre(5, 1));
  EXPECT_THAT(lists.unlabelled, ElementsAre(9, 7, 8));
  EXPECT_THAT(lists.validation, ElementsAre(0));
}

// Whether every field that can be told unset is set, in `message` and below; lists are let be.
bool AllSet(const Message& message, std::string* missing) {
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (field->is_repeated() || field->type() == FieldDescriptor::TYPE_STRING) continue;
    const bool unset = field->has_presence()
                           ? !message.GetReflection()->HasField(message, field)
                           : field->enum_type() != nullptr &&
                                 message.GetReflection()->GetEnumValue(message, field) == 0;
    if (unset) *missing = field->full_name();
    if (unset) return false;
    if (field->message_type() != nullptr &&
        !AllSet(message.GetReflection()->GetMessage(message, field), missing)) {
      return false;
    }
  }
  return true;
}

TEST(SpecConvertTest, ResolvedSpecHasEveryFieldSet) {
  for (const auto& preset : Presets()) {
    std::string missing;
    EXPECT_TRUE(AllSet(SpecToProto(Read(Preset(preset.name))), &missing))
        << preset.name << ": " << missing;
  }
}

TEST(SpecConvertTest, ResolvedSpecMeansTheSame) {
  for (const auto& preset : Presets()) {
    v1::FeedSpec proto = Preset(preset.name);
    proto.set_dataset("cifar");
    proto.mutable_split()->add_per_class(3);
    const FeedSpec spec = Read(proto);
    const FeedSpec again = Read(SpecToProto(spec));
    EXPECT_EQ(CanonicalText(again), CanonicalText(spec));
    EXPECT_EQ(again.recipe, spec.recipe);
    EXPECT_EQ(again.recipe.preset, preset.name);
    EXPECT_EQ(again.split, spec.split);
    EXPECT_TRUE(MessageDifferencer::Equals(SpecToProto(again), SpecToProto(spec)));
  }
}

TEST(SpecConvertTest, EveryEnumeratorGoesBothWays) {
  for (int rule = v1::Split::MIXMATCH; rule <= v1::Split::Rule_MAX; ++rule) {
    v1::FeedSpec proto = Preset("supervised");
    proto.mutable_split()->set_rule(static_cast<v1::Split::Rule>(rule));
    proto.mutable_split()->add_per_class(1);
    EXPECT_EQ(SpecToProto(Read(proto)).split().rule(), rule);
  }
  for (int pool = v1::LABELLED; pool <= v1::Pool_MAX; ++pool) {
    v1::FeedSpec proto = Preset("eval");
    proto.mutable_recipe()->set_ordered_pool(static_cast<v1::Pool>(pool));
    EXPECT_EQ(SpecToProto(Read(proto)).recipe().ordered_pool(), pool);
  }
  for (int mode = v1::View::REFLECT; mode <= v1::View::PadMode_MAX; ++mode) {
    v1::FeedSpec proto;
    proto.mutable_recipe()->mutable_view()->set_pad_mode(static_cast<v1::View::PadMode>(mode));
    EXPECT_EQ(SpecToProto(Read(proto)).recipe().view().pad_mode(), mode);
  }
  for (int pairing = v1::Mix::PERMUTATION; pairing <= v1::Mix::Pairing_MAX; ++pairing) {
    v1::FeedSpec proto;
    proto.mutable_recipe()->mutable_mix()->set_pairing(static_cast<v1::Mix::Pairing>(pairing));
    EXPECT_EQ(SpecToProto(Read(proto)).recipe().mix().pairing(), pairing);
  }
}

TEST(SpecConvertTest, PoolsHaveTheirNames) {
  EXPECT_EQ(PoolToProto(PoolId::kLabelled), v1::LABELLED);
  EXPECT_EQ(PoolToProto(PoolId::kUnlabelled), v1::UNLABELLED);
  EXPECT_EQ(PoolToProto(PoolId::kValidation), v1::VALIDATION);
  EXPECT_EQ(PoolToProto(PoolId::kTest), v1::TEST);
}

struct BadSpec {
  const char* message;  // a part of it
  std::function<void(v1::FeedSpec*)> make;
};

TEST(SpecConvertTest, ErrorsNameFieldValueAndWhatIsAllowed) {
  constexpr uint32_t kMost = std::numeric_limits<uint32_t>::max();
  constexpr uint64_t kMost64 = std::numeric_limits<uint64_t>::max();
  const std::vector<BadSpec> bad = {
      {"recipe.preset is \"mixmash\"; allowed: mixmatch",
       [](v1::FeedSpec* s) { s->mutable_recipe()->set_preset("mixmash"); }},
      {"batch is 0;", [](v1::FeedSpec* s) { s->set_batch(0); }},
      {"batch is 4097;", [](v1::FeedSpec* s) { s->set_batch(4097); }},
      {"batch is 4294967295;", [](v1::FeedSpec* s) { s->set_batch(kMost); }},
      {"plan_version is 99;", [](v1::FeedSpec* s) { s->set_plan_version(99); }},
      {"recipe.views is", [](v1::FeedSpec* s) { s->mutable_recipe()->set_views(9); }},
      {"recipe.views is 4294967295",
       [](v1::FeedSpec* s) { s->mutable_recipe()->set_views(kMost); }},
      {"pad is 65", [](v1::FeedSpec* s) { s->mutable_recipe()->mutable_view()->set_pad(65); }},
      {"recipe.view.pad is 4294967295",
       [](v1::FeedSpec* s) { s->mutable_recipe()->mutable_view()->set_pad(kMost); }},
      {"flip_probability is 1.5",
       [](v1::FeedSpec* s) { s->mutable_recipe()->mutable_view()->set_flip_probability(1.5); }},
      {"temperature is 0",
       [](v1::FeedSpec* s) { s->mutable_recipe()->mutable_guess()->set_temperature(0); }},
      {"alpha is 1000",
       [](v1::FeedSpec* s) { s->mutable_recipe()->mutable_mix()->set_alpha(1000); }},
      {"alpha is nan",
       [](v1::FeedSpec* s) {
         s->mutable_recipe()->mutable_mix()->set_alpha(std::numeric_limits<double>::quiet_NaN());
       }},
      {"split.labelled is 18446744073709551615",
       [](v1::FeedSpec* s) { s->mutable_split()->set_labelled(kMost64); }},
      {"split.validation is 18446744073709551615",
       [](v1::FeedSpec* s) { s->mutable_split()->set_validation(kMost64); }},
      {"split.seed is 4294967296",
       [](v1::FeedSpec* s) { s->mutable_split()->set_seed(uint64_t{kMost} + 1); }},
      {"split.per_class[0] is 18446744073709551615",
       [](v1::FeedSpec* s) { s->mutable_split()->add_per_class(kMost64); }},
      {"split.labelled_list[1] is 4294967295",
       [](v1::FeedSpec* s) {
         s->mutable_split()->add_labelled_list(1);
         s->mutable_split()->add_labelled_list(kMost);
       }},
      {"split.rule is 17; allowed: MIXMATCH, BALANCED, RANDOM, PER_CLASS, ALL, LISTS",
       [](v1::FeedSpec* s) { s->mutable_split()->set_rule(static_cast<v1::Split::Rule>(17)); }},
      {"split.rule is all", [](v1::FeedSpec* s) { s->mutable_split()->set_rule(v1::Split::ALL); }},
      {"recipe.view.pad_mode is 8; allowed: REFLECT, ZERO, EDGE",
       [](v1::FeedSpec* s) {
         s->mutable_recipe()->mutable_view()->set_pad_mode(static_cast<v1::View::PadMode>(8));
       }},
      {"recipe.mix.pairing is -2; allowed: PERMUTATION, REVERSED, ROLLED",
       [](v1::FeedSpec* s) {
         s->mutable_recipe()->mutable_mix()->set_pairing(static_cast<v1::Mix::Pairing>(-2));
       }},
      {"recipe.mix.lambda_scope is 4; allowed: PER_ROW, PER_BATCH, PER_PAIR",
       [](v1::FeedSpec* s) {
         s->mutable_recipe()->mutable_mix()->set_lambda_scope(static_cast<v1::Mix::LambdaScope>(4));
       }},
      {"recipe.labelled_sampling is 5; allowed: EPOCHS, WITH_REPLACEMENT, EPOCHS_DROP_LAST, TILED",
       [](v1::FeedSpec* s) {
         s->mutable_recipe()->set_labelled_sampling(static_cast<v1::Sampling>(5));
       }},
      {"recipe.unlabelled_sampling is 5;",
       [](v1::FeedSpec* s) {
         s->mutable_recipe()->set_unlabelled_sampling(static_cast<v1::Sampling>(5));
       }},
      {"recipe.ordered_pool is 5; allowed: LABELLED, UNLABELLED, VALIDATION, TEST",
       [](v1::FeedSpec* s) { s->mutable_recipe()->set_ordered_pool(static_cast<v1::Pool>(5)); }},
  };
  for (const BadSpec& spec : bad) {
    v1::FeedSpec proto;
    spec.make(&proto);
    const absl::Status status = SpecFromProto(proto).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << spec.message;
    EXPECT_THAT(std::string(status.message()), HasSubstr(spec.message));
  }
}

}  // namespace
}  // namespace mixfeed
