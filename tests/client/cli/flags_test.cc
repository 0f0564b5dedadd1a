#include "client/cli/flags.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "client/spec/enum_text.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TempDir;

// Parses like `mixfeed SUBCOMMAND args...`; returns what CLI11 says is wrong, or nothing.
template <typename Flags>
std::string Parse(Flags* flags, std::vector<std::string> args) {
  CLI::App app;
  flags->AddTo(&app);
  std::reverse(args.begin(), args.end());
  try {
    app.parse(args);
  } catch (const CLI::ParseError& error) {
    return error.what();
  }
  return "";
}

v1::FeedSpec SpecOf(const std::vector<std::string>& args) {
  SpecFlags flags;
  EXPECT_EQ(Parse(&flags, args), "");
  const auto spec = flags.Spec();
  EXPECT_TRUE(spec.ok()) << spec.status();
  return *spec;
}

v1::FeedSpec Proto(const std::string& text) {
  v1::FeedSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec));
  return spec;
}

MATCHER_P(IsSpec, text, "") {
  return google::protobuf::util::MessageDifferencer::Equals(arg, Proto(text));
}

TEST(SpecFlagsTest, WithoutFlagsNothingIsSet) { EXPECT_THAT(SpecOf({}), IsSpec("")); }

TEST(SpecFlagsTest, EveryFlagSetsItsField) {
  const struct {
    std::vector<std::string> args;
    const char* spec;
  } cases[] = {
      {{"--recipe", "mixup"}, "recipe { preset: 'mixup' }"},
      {{"--dataset", "cifar"}, "dataset: 'cifar'"},
      {{"--labels", "250"}, "split { labelled: 250 }"},
      {{"--labels", "all"}, "split { rule: ALL }"},
      {{"--validation", "5000"}, "split { validation: 5000 }"},
      {{"--split-seed", "3"}, "split { seed: 3 }"},
      {{"--seed", "18446744073709551615"}, "seed: 18446744073709551615"},
      {{"--batch", "128"}, "batch: 128"},
      {{"--views", "4"}, "recipe { views: 4 }"},
      {{"--temperature", "0.25"}, "recipe { guess { temperature: 0.25 } }"},
      {{"--alpha", "0.75"}, "recipe { mix { alpha: 0.75 } }"},
      {{"--model", "small"}, "recipe { guess { model: 'small' } }"},
      {{"--statistics", "running"}, "recipe { guess { batch_statistics: false } }"},
      {{"--statistics", "batch"}, "recipe { guess { batch_statistics: true } }"},
      {{"--policy", "lockstep"}, "recipe { guess { policy: LOCKSTEP } }"},
      {{"--policy", "delayed:3"}, "recipe { guess { policy: DELAYED delay: 3 } }"},
      {{"--policy", "newest"}, "recipe { guess { policy: NEWEST } }"},
      {{"--policy", "pinned:7"}, "recipe { guess { policy: PINNED version: 7 } }"},
      {{"--pool", "validation"}, "recipe { ordered_pool: VALIDATION }"},
      {{"--batch", "8", "--views=1", "--seed", "0"}, "batch: 8 recipe { views: 1 } seed: 0"},
  };
  for (const auto& c : cases) EXPECT_THAT(SpecOf(c.args), IsSpec(c.spec)) << c.args[0];
}

// Regression: it set mix.alpha, which a recipe of boxes does not read.
TEST(SpecFlagsTest, AlphaIsThatOfTheBoxesWhereThereAreNoBlends) {
  EXPECT_THAT(SpecOf({"--recipe", "cutmix", "--alpha", "0.1"}),
              IsSpec("recipe { preset: 'cutmix' mix { cutmix { alpha: 0.1 } } }"));
  EXPECT_THAT(SpecOf({"--recipe", "mixup-cutmix", "--alpha", "0.1"}),
              IsSpec("recipe { preset: 'mixup-cutmix' mix { alpha: 0.1 } }"));
  EXPECT_THAT(
      SpecOf({"--recipe", "mixup", "--alpha", "2", "--set", "recipe.mix.cutmix.probability=1"}),
      IsSpec("recipe { preset: 'mixup' mix { cutmix { probability: 1 alpha: 2 } } }"));
  EXPECT_THAT(SpecOf({"--recipe", "unheard-of", "--alpha", "2"}),
              IsSpec("recipe { preset: 'unheard-of' mix { alpha: 2 } }"));
}

TEST(SpecFlagsTest, ASetFieldTakesPrecedenceOverAlpha) {
  EXPECT_EQ(SpecOf({"--alpha", "2", "--set", "recipe.mix.alpha=3"}).recipe().mix().alpha(), 3);
}

TEST(SpecFlagsTest, WhatIsNoNumberIsRefused) {
  const std::vector<std::string> wrong[] = {
      {"--batch", "-1"},       {"--batch", "x"},         {"--batch", "4294967296"},
      {"--seed", "1.5"},       {"--labels", "some"},     {"--temperature", "hot"},
      {"--validation", "5k"},  {"--pool", "training"},   {"--statistics", "own"},
      {"--policy", "delayed"}, {"--policy", "newest:1"}, {"--policy", "oldest"},
  };
  for (const auto& args : wrong) {
    SpecFlags flags;
    EXPECT_THAT(Parse(&flags, args), HasSubstr("'" + args[1] + "' is not")) << args[0];
  }
}

TEST(SpecFlagsTest, ASpecFileIsReadAndFlagsOverrideIt) {
  const TempDir dir;
  std::ofstream(dir.File("spec.json"))
      << R"({"dataset": "cifar", "batch": 32, "seed": "7", "split": {"rule": "BALANCED"}})";
  EXPECT_THAT(SpecOf({"--spec", dir.File("spec.json"), "--batch", "64", "--labels", "100"}),
              IsSpec("dataset: 'cifar' batch: 64 seed: 7 split { rule: BALANCED labelled: 100 }"));
}

// What `open --json` prints of a feed has every field set.
constexpr char kResolved[] =
    R"({"dataset": "cifar", "batch": 32, "split": {"rule": "MIXMATCH", "labelled": "100"},
        "recipe": {"preset": "mixmatch", "views": 3, "guess": {"model": "small"},
                   "mix": {"enabled": true, "alpha": 0.75, "beta": 0.75}}})";

TEST(SpecFlagsTest, AlphaOverAResolvedSpecIsOfBothSidesOfTheBeta) {
  const TempDir dir;
  std::ofstream(dir.File("spec.json")) << kResolved;
  const v1::Mix mix = SpecOf({"--spec", dir.File("spec.json"), "--alpha", "0.5"}).recipe().mix();
  EXPECT_EQ(mix.alpha(), 0.5);
  EXPECT_FALSE(mix.has_beta()) << "so that the server takes alpha";
}

TEST(SpecFlagsTest, AnotherRecipeOverASpecTakesTheWholePlaceOfItsRecipe) {
  const TempDir dir;
  std::ofstream(dir.File("spec.json")) << kResolved;
  EXPECT_THAT(SpecOf({"--alpha", "2", "--recipe", "mixup", "--spec", dir.File("spec.json")}),
              IsSpec("dataset: 'cifar' batch: 32 split { rule: MIXMATCH labelled: 100 } "
                     "recipe { preset: 'mixup' mix { alpha: 2 } }"));
}

TEST(SpecFlagsTest, TheSameRecipeOverASpecChangesNothing) {
  const TempDir dir;
  std::ofstream(dir.File("spec.json")) << kResolved;
  std::ofstream(dir.File("unnamed.json")) << R"({"recipe": {"views": 3}})";
  EXPECT_THAT(SpecOf({"--spec", dir.File("spec.json"), "--recipe", "mixmatch"}),
              IsSpec(SpecOf({"--spec", dir.File("spec.json")}).DebugString()));
  EXPECT_THAT(SpecOf({"--spec", dir.File("unnamed.json"), "--recipe", "mixmatch"}),
              IsSpec("recipe { preset: 'mixmatch' views: 3 }"));
}

TEST(SpecFlagsTest, HelpGivesRangesAndDefaults) {
  CLI::App app;
  SpecFlags flags;
  flags.AddTo(&app);
  const std::pair<const char*, const char*> says[] = {
      {"--recipe", "default mixmatch"},
      {"--dataset", "not needed"},
      {"--labels", "Default: the recipe's"},
      {"--validation", "mostly 0"},
      {"--split-seed", "default 1"},
      {"--seed", "default 0"},
      {"--batch", "1..4096; default 64"},
      {"--views", "1..8; default: the recipe's"},
      {"--temperature", "0.01..100; default: the recipe's"},
      {"--alpha", "0.01..101"},
      {"--model", "not needed"},
      {"--pool", "the default"},
  };
  for (const auto& [flag, text] : says) {
    EXPECT_THAT(app.get_option(flag)->get_description(), HasSubstr(text)) << flag;
  }
}

TEST(ServerFlagsTest, WaitsAsLongAsTheLibraryUnlessTold) {
  ServerFlags flags;
  EXPECT_EQ(flags.Options().connect_deadline_ms, ConnectOptions().connect_deadline_ms);
  ASSERT_EQ(Parse(&flags, {"--wait", "0.25"}), "");
  EXPECT_EQ(flags.Options().connect_deadline_ms, 250);
  for (const char* wrong : {"0", "-1", "nan", "soon", "86401"}) {
    ServerFlags other;
    EXPECT_NE(Parse(&other, {"--wait", wrong}), "") << wrong;
  }
}

TEST(ServerFlagsTest, TlsFlagsReachTheConnection) {
  ServerFlags flags;
  ASSERT_EQ(Parse(&flags, {"--server", "far:1", "--tls", "--tls-ca", "ca.pem", "--tls-cert",
                           "cert.pem", "--tls-key", "key.pem"}),
            "");
  const ConnectOptions options = flags.Options();
  EXPECT_EQ(options.server, "far:1");
  EXPECT_TRUE(options.tls.use_tls);
  EXPECT_EQ(options.tls.ca, "ca.pem");
  EXPECT_EQ(options.tls.cert, "cert.pem");
  EXPECT_EQ(options.tls.key, "key.pem");
  const TlsFiles none = ServerFlags().Options().tls;
  EXPECT_FALSE(none.use_tls);
  EXPECT_EQ(none.ca + none.cert + none.key, "");
}

TEST(ServerFlagsTest, ConnectNamesACertificateWithoutItsKey) {
  ServerFlags flags;
  ASSERT_EQ(Parse(&flags, {"--tls-cert", "cert.pem"}), "");
  EXPECT_THAT(std::string(flags.Connect().status().message()), HasSubstr("give both"));
}

TEST(SpecFlagsTest, ASpecFileThatIsNoneIsRefused) {
  const TempDir dir;
  std::ofstream(dir.File("unknown.json")) << R"({"batches": 32})";
  const struct {
    std::string file;
    const char* message;
  } cases[] = {{dir.File("none.json"), "cannot read"}, {dir.File("unknown.json"), "batches"}};
  for (const auto& c : cases) {
    SpecFlags flags;
    ASSERT_EQ(Parse(&flags, {"--spec", c.file}), "");
    const absl::Status status = flags.Spec().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message));
  }
}

TEST(FormatFlagsTest, DefaultIsFloat32Nchw) {
  FormatFlags flags;
  ASSERT_EQ(Parse(&flags, {}), "");
  EXPECT_EQ(flags.Format().type(), v1::FLOAT32);
  EXPECT_EQ(flags.Format().layout(), v1::NCHW);
  EXPECT_FALSE(flags.Format().has_normalisation());
}

TEST(FormatFlagsTest, NamesEveryTypeAndLayout) {
  const std::pair<const char*, v1::PixelType> types[] = {{"uint8", v1::UINT8},
                                                         {"float16", v1::FLOAT16},
                                                         {"bfloat16", v1::BFLOAT16},
                                                         {"float32", v1::FLOAT32}};
  for (const auto& [name, type] : types) {
    FormatFlags flags;
    ASSERT_EQ(Parse(&flags, {"--format", name, "--layout", "nhwc", "--normalise", "cifar10"}), "");
    EXPECT_EQ(flags.Format().type(), type);
    EXPECT_EQ(flags.Format().layout(), v1::NHWC);
    EXPECT_EQ(flags.Format().normalisation().name(), "cifar10");
  }
}

TEST(FormatFlagsTest, OtherNamesAreRefused) {
  for (const auto& args : {std::vector<std::string>{"--format", "int8"}, {"--layout", "chwn"}}) {
    FormatFlags flags;
    EXPECT_NE(Parse(&flags, args), "");
  }
}

TEST(EnumTextTest, IsLowerCaseWithDashes) {
  EXPECT_THAT(EnumTexts(*v1::OpenStream::Sharing_descriptor()),
              ElementsAre("round-robin", "broadcast", "split"));
  EXPECT_EQ(EnumNumber(*v1::OpenStream::Sharing_descriptor(), "split"), v1::OpenStream::SPLIT);
  EXPECT_EQ(EnumNumber(*v1::OpenStream::Sharing_descriptor(), "none"), 0);
}

}  // namespace
}  // namespace mixfeed
