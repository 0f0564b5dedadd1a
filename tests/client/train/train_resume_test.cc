// Trainings that go on from a checkpoint, and checkpoints from which they cannot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>

#include "augment/weights/state_dict.h"
#include "tests/client/train/train_program_kit.h"

namespace mixfeed {
namespace {

using nlohmann::ordered_json;
using ::testing::AllOf;
using testing::Args;
using testing::Ended;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::RunInterrupted;
using testing::RunWith;
using ::testing::StartsWith;
using testing::TestServer;
using testing::TrainProgramTest;

class ResumeTest : public TrainProgramTest, public ::testing::WithParamInterface<const char*> {};

// The first server saw the training end; the second one sees it stop and go on twice, once from an
// older checkpoint than what it was pushed.
TEST_P(ResumeTest, EndsWithTheWeightsOfAnUninterruptedTraining) {
  const Args training = {"--policy", GetParam(), "--schedule", "constant"};
  const auto args = [&](const char* run, const char* steps, const std::string& file) {
    Args all = training;
    all.insert(all.end(), {"--run", run, "--steps", steps, "--checkpoint", file});
    return all;
  };
  ASSERT_EQ(Train(args("whole", "9", File("whole.ckpt"))).code, kExitOk);
  ASSERT_EQ(Train(args("cut", "3", File("cut.ckpt"))).code, kExitOk);
  std::filesystem::copy_file(File("cut.ckpt"), File("old.ckpt"));
  Ended run = Resume({"--checkpoint", File("cut.ckpt"), "--steps", "6"});
  ASSERT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.Lines("begin").at(0)["update"], 3);
  const uint64_t version = Model("cut").version();
  // From update 3 again: what was pushed up to 5 is not pushed again.
  run = Resume({"--checkpoint", File("old.ckpt"), "--steps", "6"});
  ASSERT_EQ(run.code, kExitOk) << run.err;
  EXPECT_THAT(run.err, IsEmpty());
  EXPECT_EQ(Model("cut").version(), version);
  EXPECT_EQ(StateOf("old.ckpt"), StateOf("cut.ckpt"));
  run = Resume({"--checkpoint", File("old.ckpt"), "--steps", "9"});
  ASSERT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(StateOf("old.ckpt"), StateOf("whole.ckpt"));
  EXPECT_EQ(Model("cut").weights(), Model("whole").weights());
}

INSTANTIATE_TEST_SUITE_P(Policies, ResumeTest, ::testing::Values("lockstep", "delayed:2"),
                         [](const auto& tested) { return std::string(tested.param).substr(0, 7); });

TEST_F(TrainProgramTest, FlagsMayRepeatACheckpointButNotContradictIt) {
  const Args training = {"--run",      "a",      "--steps",      "2",
                         "--schedule", "cosine", "--checkpoint", File("a.ckpt")};
  ASSERT_EQ(Train(training).code, kExitOk);
  Args again = training;
  again.push_back("--resume");
  const Ended same = Train(again);
  EXPECT_EQ(same.code, kExitOk) << same.err;
  const std::pair<Args, const char*> wrong[] = {
      {{"--lr", "0.01"}, "--lr: 0.01 given; checkpoint "},
      {{"--steps", "5"}, "is of a training with 2"},  // the cosine depends on it
      {{"--network", "wrn-28-2"}, "is of a training with resnet-small"},
      {{"--run", "b"}, "--run: b given; checkpoint "},
      {{"--seed", "4"}, "the flags change the feed of checkpoint "},
      {{"--labels", "50"}, "labelled"},
  };
  for (const auto& [flags, message] : wrong) {
    Args args = {"--checkpoint", File("a.ckpt")};
    args.insert(args.end(), flags.begin(), flags.end());
    const Ended run = Resume(args);
    EXPECT_EQ(run.code, kExitError) << flags[0];
    EXPECT_THAT(run.err, AllOf(StartsWith("mixfeed-train: "), HasSubstr(message)));
  }
}

TEST_F(TrainProgramTest, ListsMayBeRepeatedToo) {
  const Args lists = {"--recipe", "manifold", "--set", "recipe.mix.layers=[0, 1]"};
  Args training = lists;
  training.insert(training.end(), {"--steps", "1", "--checkpoint", File("a.ckpt")});
  const Ended begun = Train(training);
  ASSERT_EQ(begun.code, kExitOk) << begun.err;
  Args again = lists;
  again.insert(again.end(), {"--checkpoint", File("a.ckpt"), "--steps", "2"});
  const Ended run = Resume(again);
  EXPECT_EQ(run.code, kExitOk) << run.err;
  again[3] = "recipe.mix.layers=[0, 2]";
  EXPECT_THAT(Resume(again).err, HasSubstr("the flags change the feed of checkpoint "));
}

TEST_F(TrainProgramTest, CheckpointsThatCannotBeReadAreNamed) {
  const Ended absent = Resume({"--checkpoint", File("absent.ckpt")});
  EXPECT_EQ(absent.code, kExitError);
  EXPECT_THAT(absent.err, HasSubstr(File("absent.ckpt")));
  const auto state = *WriteSafetensors({});
  ASSERT_TRUE(WriteCheckpoint(File("a.ckpt"), "[1]", state).ok());
  EXPECT_THAT(Resume({"--checkpoint", File("a.ckpt")}).err,
              HasSubstr("checkpoint " + File("a.ckpt") + ": description: is no JSON object"));
  ASSERT_EQ(Train({"--run", "a", "--steps", "1", "--checkpoint", File("b.ckpt")}).code, kExitOk);
  const auto whole = ParseCheckpoint("b", *ReadCheckpointFile(File("b.ckpt")));
  const ordered_json sound = ordered_json::parse(whole->description);
  ordered_json wrong_rate = sound["settings"], numeric_rate = sound["settings"];
  wrong_rate["lr"] = "11";
  numeric_rate["lr"] = 1;
  struct Damage {
    const char* field;
    ordered_json value;
    const char* message;
  };
  const Damage damages[] = {{"run", 3, "run is no text"},
                            {"feed_id", nullptr, "feed_id is no text"},
                            {"environment", 1, "environment is no text"},
                            {"settings", "x", "settings is no object"},
                            {"settings", ordered_json::object(), "variant: is missing"},
                            {"settings", wrong_rate, "lr: '11' is not a number from 0 to 10"},
                            {"settings", numeric_rate, "settings.lr is no text"},
                            {"spec", "x", "spec is no FeedSpec"},
                            {"update", "x", "update is no number"}};
  for (const Damage& damage : damages) {
    ordered_json damaged = sound;
    damaged[damage.field] = damage.value;
    ASSERT_TRUE(WriteCheckpoint(File("a.ckpt"), damaged.dump(), whole->tensors.bytes()).ok());
    const Ended run = Resume({"--checkpoint", File("a.ckpt")});
    EXPECT_EQ(run.code, kExitError);
    EXPECT_THAT(run.err,
                HasSubstr("checkpoint " + File("a.ckpt") + ": description: " + damage.message));
  }
  // A sound file of another network's tensors.
  ASSERT_TRUE(WriteCheckpoint(File("a.ckpt"), sound.dump(), state).ok());
  EXPECT_THAT(Resume({"--checkpoint", File("a.ckpt")}).err, HasSubstr("stem.weight"));
}

TEST_F(TrainProgramTest, AServerWithAnotherDatasetIsNoticed) {
  ASSERT_EQ(Train({"--run", "a", "--steps", "1", "--checkpoint", File("a.ckpt")}).code, kExitOk);
  const TestServer other({.train_images = 600});
  const Ended run = RunWith({"--server", other.address(), "--resume", "--checkpoint",
                             File("a.ckpt"), "--threads", "1", "--steps", "2"});
  EXPECT_EQ(run.code, kExitError);
  EXPECT_THAT(run.err, HasSubstr("dataset 'tiny' is another one"));
}

// Of the second update, which is the last one at first.
TEST_F(TrainProgramTest, AnEvaluationThatWasInterruptedIsMadeUp) {
  const auto args = [this](const std::string& run) {
    return Training({"--recipe", "mixup", "--run", run, "--steps", "2", "--eval-every", "2",
                     "--checkpoint", File(run)});
  };
  const Ended whole = RunWith(args("whole"));
  ASSERT_EQ(whole.code, kExitOk) << whole.err;
  const Ended cut = RunInterrupted(args("cut"), R"("update":2)");
  EXPECT_EQ(cut.code, kExitInterrupted);
  EXPECT_THAT(cut.Lines("eval"), IsEmpty());
  EXPECT_EQ(cut.Lines("end").at(0)["interrupted"], true);
  const Ended rest = Resume({"--checkpoint", File("cut"), "--eval-every", "2"});
  ASSERT_EQ(rest.code, kExitOk) << rest.err;
  EXPECT_EQ(rest.Lines("eval"), whole.Lines("eval"));
  EXPECT_EQ(rest.Lines("end"), whole.Lines("end"));
  // Once.
  const Ended again = Resume({"--checkpoint", File("cut"), "--eval-every", "2"});
  EXPECT_THAT(again.Lines("eval"), IsEmpty());
  EXPECT_EQ(again.Lines("end"), whole.Lines("end"));
  const Ended longer = Resume({"--checkpoint", File("cut"), "--eval-every", "2", "--steps", "4"});
  EXPECT_EQ(longer.Lines("eval").size(), 1u);
}

TEST_F(TrainProgramTest, ACheckpointIsNotReplacedUnasked) {
  const Args training = {"--recipe", "mixup", "--steps", "1", "--checkpoint", File("a.ckpt")};
  ASSERT_EQ(Train(training).code, kExitOk);
  const std::string state = StateOf("a.ckpt");
  const Ended again = Train(training);
  EXPECT_EQ(again.code, kExitError);
  EXPECT_THAT(again.err, AllOf(StartsWith("mixfeed-train: --checkpoint: " + File("a.ckpt")),
                               HasSubstr("--resume goes on from it")));
  EXPECT_THAT(again.out, IsEmpty());
  EXPECT_EQ(StateOf("a.ckpt"), state);
}

// What an older or lost server lacks is pushed to it.
TEST_F(TrainProgramTest, GoesOnAtAServerThatHasForgottenTheModel) {
  ASSERT_EQ(Train({"--run", "a", "--steps", "4", "--checkpoint", File("a.ckpt")}).code, kExitOk);
  const TestServer other([](ServerOptions* options) { options->guess_threads = 1; });
  const Ended run =
      RunWith({"--server", other.address(), "--resume", "--checkpoint", File("a.ckpt"), "--threads",
               "1", "--steps", "6", "--json", "--eval-every", "0"});
  ASSERT_EQ(run.code, kExitOk) << run.err;
  ASSERT_EQ(Train({"--run", "b", "--steps", "6", "--checkpoint", File("b.ckpt")}).code, kExitOk);
  EXPECT_EQ(StateOf("a.ckpt"), StateOf("b.ckpt"));
}

TEST_F(TrainProgramTest, GoingOnOverAnotherTrainingIsNoted) {
  ASSERT_EQ(Train({"--run", "a", "--steps", "2", "--checkpoint", File("a.ckpt")}).code, kExitOk);
  ASSERT_EQ(
      Train({"--run", "b", "--model", "a", "--init-seed", "7", "--rewind", "--steps", "3"}).code,
      kExitOk);
  const Ended rest = Resume({"--checkpoint", File("a.ckpt"), "--steps", "4"});
  EXPECT_EQ(rest.code, kExitOk);
  EXPECT_THAT(rest.err, StartsWith("note: the server had other weights of update 2, which were "
                                   "pushed over"));
  EXPECT_EQ(std::count(rest.err.begin(), rest.err.end(), '\n'), 1) << rest.err;
}

// The server's own average is not in the checkpoint.
TEST_F(TrainProgramTest, GoesOnWithTheServersAverageWhereTheServerHasIt) {
  const auto train = [this](const char* run, const char* steps) {
    return Train({"--weights", "ema", "--ema", "0.5", "--run", run, "--steps", steps,
                  "--checkpoint", File(run)});
  };
  ASSERT_EQ(train("whole", "4").code, kExitOk);
  ASSERT_EQ(train("cut", "2").code, kExitOk);
  std::filesystem::copy_file(File("cut"), File("old"));
  const Ended rest = Resume({"--checkpoint", File("cut"), "--steps", "4"});
  ASSERT_EQ(rest.code, kExitOk) << rest.err;
  EXPECT_THAT(rest.err, IsEmpty());
  EXPECT_EQ(StateOf("cut"), StateOf("whole"));
  const TestServer other([](ServerOptions* options) { options->guess_threads = 1; });
  const Ended anew = RunWith({"--server", other.address(), "--resume", "--checkpoint", File("old"),
                              "--threads", "1", "--steps", "4", "--json"});
  EXPECT_EQ(anew.code, kExitOk);
  EXPECT_THAT(anew.err, StartsWith("note: the server lacked the weights of update 2, so that its "
                                   "average (--weights ema) begins anew"));
}

TEST_F(TrainProgramTest, OtherEnvironmentsAreNoted) {
  ASSERT_EQ(Train({"--run", "a", "--steps", "1", "--checkpoint", File("a.ckpt")}).code, kExitOk);
  const Ended run = RunWith({"--server", server_.address(), "--resume", "--checkpoint",
                             File("a.ckpt"), "--threads", "2", "--steps", "2"});
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_THAT(run.err, AllOf(HasSubstr("note: the checkpoint was made in another environment"),
                             HasSubstr("2 threads an operator")));
}

}  // namespace
}  // namespace mixfeed
