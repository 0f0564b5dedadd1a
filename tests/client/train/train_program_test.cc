// What mixfeed-train does and prints, with which recipes, variants and flags.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "client/train/variant.h"
#include "tests/client/train/learner_kit.h"
#include "tests/client/train/train_program_kit.h"
#include "tests/testing/free_port.h"

namespace mixfeed {
namespace {

using nlohmann::ordered_json;
using ::testing::AllOf;
using ::testing::AnyOf;
using testing::Args;
using testing::Ended;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::RunWith;
using ::testing::StartsWith;
using testing::Tensors;
using testing::TrainProgramTest;

TEST_F(TrainProgramTest, RegistersTheModelPushesEveryUpdateAndTellsOfEach) {
  const Ended run = Train({"--run", "a", "--steps", "4"});
  ASSERT_EQ(run.code, kExitOk) << run.err;
  EXPECT_THAT(run.err, IsEmpty());
  const auto begin = run.Lines("begin").at(0);
  EXPECT_EQ(begin["run"], "a");
  EXPECT_EQ(begin["model"], "a");
  EXPECT_EQ(begin["settings"]["variant"], "official");
  const auto updates = run.Lines("update");
  ASSERT_EQ(updates.size(), 4u);
  for (size_t i = 0; i < updates.size(); ++i) {
    const ordered_json& json = updates[i];
    EXPECT_EQ(json["update"], i + 1);
    EXPECT_EQ(json["guess_version"], i);  // under lockstep, of the update before
    EXPECT_EQ(json["guess_age"], 0);
    EXPECT_NEAR(json["loss"],
                json["labelled_loss"].get<double>() +
                    json["unlabelled_weight"].get<double>() * json["unlabelled_loss"].get<double>(),
                1e-5);
    EXPECT_GT(json["confidence"], 0.1);
    EXPECT_EQ(json["lr"], 0.002);
    EXPECT_GT(json["images_per_second"], 0);
  }
  EXPECT_EQ(run.Lines("end").at(0)["interrupted"], false);
  const v1::Model model = Model("a");
  EXPECT_EQ(model.kind(), "resnet-small");
  EXPECT_EQ(model.update(), 4u);
}

TEST_F(TrainProgramTest, EvaluatesDrawsAndReportsTheMedian) {
  const Ended run = TrainAndEvaluate({"--steps", "4", "--eval-every", "2", "--png", File("a.png")});
  ASSERT_EQ(run.code, kExitOk) << run.err;
  const auto evals = run.Lines("eval");
  ASSERT_EQ(evals.size(), 2u);
  EXPECT_EQ(evals[0]["update"], 2);
  EXPECT_EQ(evals[1]["images"], 50);
  const double median =
      (evals[0]["accuracy"].get<double>() + evals[1]["accuracy"].get<double>()) / 2;
  EXPECT_NEAR(run.Lines("end").at(0)["median_accuracy"], median, 1e-9);
  std::ifstream png(File("a.png"), std::ios::binary);
  std::string magic(8, ' ');
  png.read(magic.data(), 8);
  EXPECT_EQ(magic, "\x89PNG\r\n\x1a\n");
}

TEST_F(TrainProgramTest, PrintsForPeopleToo) {
  Args args = {"--server",     server_.address(),
               "--labels",     "100",
               "--batch",      "4",
               "--threads",    "1",
               "--steps",      "3",
               "--log-every",  "1",
               "--eval-every", "3"};
  const Ended lines = RunWith(args);
  ASSERT_EQ(lines.code, kExitOk) << lines.err;
  EXPECT_THAT(lines.out, AllOf(HasSubstr("update 2/3  loss "), HasSubstr(" images/s  ETA 0:"),
                               HasSubstr("confidence 0."), HasSubstr("test accuracy "),
                               HasSubstr("done: 3 updates, test accuracy ")));
  const Ended bar = RunWith(args, {.terminal = true});
  EXPECT_THAT(bar.err, HasSubstr("[################........] update 2/3"));
  EXPECT_THAT(bar.out, Not(HasSubstr("images/s")));
}

// Recipes of every kind.
TEST_F(TrainProgramTest, TrainsFromAnyRecipe) {
  for (const char* const recipe :
       {"supervised", "mixup", "mixup/multiway", "mixup/timm-half", "label-preserving", "manifold",
        "manifold/official", "cutmix", "cutout", "ssl-mixup", "ict", "mixmatch"}) {
    const Ended run = Train({"--recipe", recipe, "--steps", "2"});
    ASSERT_EQ(run.code, kExitOk) << recipe << ": " << run.err;
    EXPECT_EQ(run.Lines("update").size(), 2u) << recipe;
    const ordered_json settings = run.Lines("begin").at(0)["settings"];
    EXPECT_EQ(settings["unlabelled-loss"],
              recipe == std::string("ssl-mixup") ? "cross-entropy" : "squared-error");
    EXPECT_EQ(settings["labelled-loss"],
              std::string(recipe).starts_with("manifold") ? "binary" : "cross-entropy");
  }
}

TEST_F(TrainProgramTest, PairsTrainAsSoftTargetsDo) {
  const Args mixup = {"--recipe", "mixup", "--steps", "2"};
  Args pairs = mixup;
  pairs.insert(pairs.end(), {"--targets", "pairs"});
  const auto soft = Train(mixup).Lines("update"), paired = Train(pairs).Lines("update");
  ASSERT_EQ(soft.size(), 2u);
  ASSERT_EQ(paired.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_NEAR(paired[i]["loss"], soft[i]["loss"], 1e-4 * soft[i]["loss"].get<double>());
  }
}

// Regression: the binary loss of manifold's recipes was told, and cross-entropy taken.
TEST_F(TrainProgramTest, PairsHaveTheCrossEntropyAlone) {
  const Args pairs = {"--recipe", "manifold/official", "--targets", "pairs", "--steps", "1"};
  const Ended run = Train(pairs);
  ASSERT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.Lines("begin").at(0)["settings"]["labelled-loss"], "cross-entropy");
  Args binary = pairs;
  binary.insert(binary.end(), {"--labelled-loss", "binary"});
  EXPECT_EQ(Train(binary).err,
            "mixfeed-train: --labelled-loss: binary given, allowed with --targets pairs: "
            "cross-entropy\n");
}

TEST_F(TrainProgramTest, FlagsWithoutEffectAreNoted) {
  const Ended run =
      Train({"--recipe", "mixup", "--steps", "1", "--unlabelled-loss", "cross-entropy",
             "--push-every", "2", "--rewind", "--rendezvous", "file:nowhere"});
  ASSERT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.err,
            "note: --unlabelled-loss has no effect, since nothing is guessed (recipe.rows)\n"
            "note: --push-every has no effect, since nothing is guessed (recipe.rows)\n"
            "note: --rewind has no effect, since nothing is guessed (recipe.rows)\n"
            "note: --rendezvous has no effect, since --world is 1\n");
}

// Each variant, with its recipe and the defaults of its flags.
TEST_F(TrainProgramTest, EveryVariantTrains) {
  for (const TrainerVariant& variant : TrainerVariants()) {
    const Ended run = Train(
        {"--variant", variant.name, "--steps", "2", "--split-seed", "2", "--validation", "0"});
    ASSERT_EQ(run.code, kExitOk) << variant.name << ": " << run.err;
    const ordered_json settings = run.Lines("begin").at(0)["settings"];
    EXPECT_EQ(settings["variant"], variant.name);
    EXPECT_EQ(settings["optimiser"], variant.optimiser);
    EXPECT_EQ(settings["lr"], variant.rate);
    EXPECT_EQ(settings["schedule"], variant.schedule);
    EXPECT_EQ(settings["ema"], variant.ema);
    EXPECT_EQ(settings["weight-decay"], variant.weight_decay);
    // The recipe alone chooses it too.
    const Ended by_recipe =
        Train({"--recipe", variant.recipe, "--steps", "1", "--validation", "0"});
    EXPECT_EQ(by_recipe.Lines("begin").at(0)["settings"], [&] {
      ordered_json same = settings;
      same["steps"] = "1";
      return same;
    }());
  }
}

// Of a small momentum each pass takes the running variance of 1 about equally far: five times as
// far as the official trainer's one pass; without those of the guess three times.
TEST_F(TrainProgramTest, TheGuessPassesOfYu1utMoveTheRunningStatistics) {
  const auto moved = [this](const std::string& variant) {
    const Ended run = Train({"--recipe", "mixmatch/yu1ut", "--variant", variant, "--validation",
                             "0", "--steps", "1", "--weight-decay", "0", "--set",
                             "recipe.interleave=true", "--checkpoint", File(variant)});
    EXPECT_EQ(run.code, kExitOk) << run.err;
    const Tensors weights = testing::ToTensors(StateOf(variant), "weights/");
    double sum = 0;
    for (const float variance : weights.at("blocks.0.norm1.running_var")) sum += 1 - variance;
    return sum;
  };
  const double ratio = moved("yu1ut") / moved("official");
  EXPECT_GT(ratio, 4);
  EXPECT_LT(ratio, 6);
}

TEST_F(TrainProgramTest, AModelWithOtherWeightsIsNotOverwrittenUnasked) {
  ASSERT_EQ(Train({"--run", "a", "--steps", "3"}).code, kExitOk);
  const Ended refused = Train({"--run", "b", "--model", "a", "--steps", "3"});
  EXPECT_EQ(refused.code, kExitError);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("model: a at the server has weights of update 3"),
                                 HasSubstr("--resume"), HasSubstr("--rewind")));
  const auto anew = [this](const char* run, const char* model) {
    return Train({"--run", run, "--model", model, "--init-seed", "7", "--rewind", "--steps", "3",
                  "--checkpoint", File(run)});
  };
  const Ended rewound = anew("b", "a");
  ASSERT_EQ(rewound.code, kExitOk) << rewound.err;
  EXPECT_EQ(rewound.Lines("update").at(0)["guess_version"], 4);  // pushed as update 0
  EXPECT_EQ(rewound.Lines("update").at(2)["guess_age"], 0);
  ASSERT_EQ(anew("c", "c").code, kExitOk);
  EXPECT_EQ(StateOf("b"), StateOf("c"));  // nothing of the model's past is left
}

TEST_F(TrainProgramTest, AModelOfAnotherKindIsRefused) {
  ASSERT_EQ(Train({"--run", "a", "--steps", "1"}).code, kExitOk);
  const Ended run = Train({"--run", "b", "--model", "a", "--network", "wrn-28-2", "--steps", "1"});
  EXPECT_EQ(run.code, kExitError);
  EXPECT_THAT(
      run.err,
      HasSubstr("model: a at the server is resnet-small for 10 classes of 3x32x32, normalised "
                "as signed; "
                "this training's is wrn-28-2 for 10 classes of 3x32x32, normalised as signed"));
  const auto client = FeedClient::Connect({.server = server_.address()});
  v1::RegisterModelHeader header;
  header.set_name("seven");
  header.set_kind("resnet-small");
  header.set_classes(7);
  ASSERT_TRUE((*client)->RegisterModel(header, "").ok());
  EXPECT_THAT(Train({"--model", "seven", "--steps", "1"}).err,
              HasSubstr("is resnet-small for 7 classes"));
}

TEST_F(TrainProgramTest, FlagsThatAreWrongNameThemselvesTheValueAndWhatIsAllowed) {
  const std::pair<Args, const char*> usage[] = {
      {{"--network", "vgg"}, "'vgg' is not one of wrn-28-2, resnet-small"},
      {{"--variant", "x"}, "'x' is not one of official, yu1ut, fastai, torchssl, usb"},
      {{"--steps", "0"}, "'0' is not a whole number from 1 to"},
      {{"--optimiser", "rmsprop"}, "'rmsprop' is not one of adam, sgd"},
      {{"--lr", "11"}, "'11' is not a number from 0 to 10"},
      {{"--lr", "nan"}, "'nan'"},
      {{"--schedule", "step"}, "'step' is not one of constant, cosine, cosine-7-16, one-cycle"},
      {{"--ema", "1"}, "'1' is not a number from 0 to 0.999999"},
      {{"--weight-decay", "-1"}, "'-1' is not a number from 0 to 1"},
      {{"--norm-momentum", "2"}, "'2' is not a number from 0 to 1"},
      {{"--labelled-loss", "hinge"}, "'hinge' is not one of cross-entropy, squared-error, binary"},
      {{"--unlabelled-loss", "hinge"}, "'hinge' is not one of"},
      {{"--normalise", "x"}, "'x' is not one of raw, unit, signed"},
      {{"--targets", "hard"}, "'hard' is not one of soft, pairs"},
      {{"--init-seed", "-1"}, "'-1' is not a whole number from 0 up"},
      {{"--accumulate", "0"}, "'0' is not a whole number from 1 to 1024"},
      {{"--world", "1025"}, "'1025' is not a whole number from 1 to 1024"},
      {{"--push-every", "0"}, "'0' is not a whole number from 1 to 1000000"},
      {{"--rank", "x"}, "'x' is not a whole number"},
      {{"--threads", "1025"}, "'1025' is not a whole number from 0 to 1024"},
      {{"--eval-every", "x"}, "'x' is not a whole number"},
      {{"--log-every", "0"}, "'0' is not a whole number from 1"},
      {{"--checkpoint-every", "5"}, "--checkpoint-every requires --checkpoint"},
      {{"--resume"}, "--resume requires --checkpoint"},
      {{"--png", "a.jpg"}, "'a.jpg' does not end in .png"},
      {{"--policy", "later"}, "'later' is not lockstep, delayed:UPDATES"},
      {{"--unknown"}, "not understood: --unknown"},
  };
  for (const auto& [args, message] : usage) {
    const Ended run = RunWith(args);
    EXPECT_EQ(run.code, kExitUsage) << args[0];
    EXPECT_THAT(run.err, AllOf(HasSubstr(args[0]), HasSubstr(message), HasSubstr("--help")));
  }
  const std::pair<Args, const char*> together[] = {
      {{"--push-every", "2"},
       "--push-every: 2 given, allowed with the policies lockstep and delayed: 1"},
      {{"--push-every", "2", "--policy", "delayed:3"}, "--push-every: 2 given"},
      {{"--targets", "pairs"}, "--targets: pairs given, allowed with a recipe that guesses: soft"},
      {{"--recipe", "eval"}, "--recipe: eval is one ordered pass"},
      {{"--recipe", "mixmach"}, "mixmach"},
      // Said before the other process is waited for.
      {{"--recipe", "mixmach", "--world", "2", "--rendezvous", "file:/nowhere/meet"}, "mixmach"},
      {{"--model", "a,b"}, "--model: 'a,b' given, allowed: one name"},
      {{"--accumulate", "2", "--set", "recipe.guess.batches_per_update=3"},
       "recipe.guess.batches_per_update: 3 given, allowed with --accumulate 2 and --world 1: 2"},
      {{"--rank", "1"}, "--rank: 1 given, must be below --world, 1"},
      {{"--world", "2", "--rendezvous", "x"}, "rendezvous: 'x' given; allowed: HOST:PORT"},
      {{"--dataset", "other"}, "--dataset: the server has no 'other', only tiny"},
      {{"--views", "9"}, "views"},
  };
  for (const auto& [args, message] : together) {
    const Ended run = Train(args);
    EXPECT_EQ(run.code, kExitError) << args[0];
    EXPECT_THAT(run.err, AllOf(StartsWith("mixfeed-train: "), HasSubstr(message)));
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  }
}

TEST(TrainDatasetTest, OneThatCannotBeTrainedOnIsNamedWithTheReason) {
  const testing::TempDir photos;  // one 2 x 2 image in each of two folders, and no test images
  for (const std::string& label : {photos.File("cat"), photos.File("dog")}) {
    std::filesystem::create_directory(label);
    std::ofstream(label + "/1.ppm", std::ios::binary) << "P6 2 2 255\n" << std::string(12, 'x');
  }
  const testing::TestServer server([&](ServerOptions* options) {
    options->data.push_back("photos=" + photos.path() + "?size=16");
    options->data.push_back("broken=/no/such");
  });
  const auto train = [&](const Args& more) {
    Args args = {"--server", server.address(), "--recipe", "mixup",     "--batch",
                 "2",        "--steps",        "1",        "--threads", "1"};
    args.insert(args.end(), more.begin(), more.end());
    return RunWith(args);
  };
  const std::pair<Args, const char*> refused[] = {
      {{}, "--dataset: not given, and the server has several: tiny, photos, broken"},
      {{"--dataset", "broken"}, "dataset: broken cannot be used: "},
      {{"--dataset", "photos"}, "photos has no test images; --eval-every 0 trains without them"},
  };
  for (const auto& [args, message] : refused) {
    const Ended run = train(args);
    EXPECT_EQ(run.code, kExitError) << message;
    EXPECT_THAT(run.err, HasSubstr(message));
  }
  const Ended run = train({"--dataset", "photos", "--eval-every", "0"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
}

TEST_F(TrainProgramTest, HelpSaysWhatEachVariantDoes) {
  const Ended help = RunWith({"--help"});
  EXPECT_EQ(help.code, kExitOk);
  for (const TrainerVariant& variant : TrainerVariants()) {
    EXPECT_THAT(help.out, HasSubstr(std::string(variant.name) + ": "));
  }
  EXPECT_THAT(help.out, AllOf(HasSubstr("Examples:"), HasSubstr("--resume"), HasSubstr("130")));
}

TEST_F(TrainProgramTest, HelpSaysOfTheFeedsFlagsWhatTheTrainerMakesOfThem) {
  std::string words;  // however the lines are broken
  std::istringstream text(RunWith({"--help"}).out);
  for (std::string word; text >> word;) words += word + " ";
  EXPECT_THAT(words, AllOf(HasSubstr("default: the variant's, mixmatch of the official one"),
                           HasSubstr("default: the name of the run"),
                           HasSubstr("average of them, of the decay --ema"),
                           HasSubstr("with --resume the checkpoint's goes on")));
  EXPECT_THAT(words, Not(AnyOf(HasSubstr("not needed when the server has only one; of several"),
                               HasSubstr("model register --ema-decay"))));
}

TEST_F(TrainProgramTest, AServerThatIsNotThereIsNamed) {
  const std::string address = "127.0.0.1:" + std::to_string(testing::FreePort());
  const Ended run = RunWith({"--server", address, "--wait", "0.2", "--threads", "1"});
  EXPECT_EQ(run.code, kExitError);
  EXPECT_THAT(run.err, HasSubstr(address));
}

}  // namespace
}  // namespace mixfeed
