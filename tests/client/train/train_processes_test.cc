// Trainings that Ctrl-C stops, and those of two processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/client/train/learner_kit.h"
#include "tests/client/train/train_program_kit.h"

namespace mixfeed {
namespace {

using testing::Args;
using testing::Ended;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::RunActing;
using testing::RunInterrupted;
using testing::RunWith;
using testing::TrainProgramTest;

// Interrupted at a line of the log: the update is finished and saved, and the training goes on.
TEST_F(TrainProgramTest, CtrlCSavesAndTheTrainingGoesOn) {
  ASSERT_EQ(Train({"--run", "whole", "--steps", "6", "--checkpoint", File("whole.ckpt")}).code,
            kExitOk);
  const Ended stopped = RunInterrupted(Training({"--eval-every", "0", "--steps", "6", "--run",
                                                 "cut", "--checkpoint", File("cut.ckpt")}),
                                       R"("update":3)");
  EXPECT_EQ(stopped.code, kExitInterrupted);
  EXPECT_THAT(stopped.err, IsEmpty());
  EXPECT_EQ(stopped.Lines("end").at(0)["interrupted"], true);
  EXPECT_EQ(stopped.Lines("end").at(0)["update"], 3);
  EXPECT_EQ(stopped.Lines("checkpoint").at(0)["update"], 3);
  const Ended rest = Resume({"--checkpoint", File("cut.ckpt"), "--eval-every", "0"});
  ASSERT_EQ(rest.code, kExitOk) << rest.err;
  EXPECT_EQ(StateOf("cut.ckpt"), StateOf("whole.ckpt"));
}

TEST_F(TrainProgramTest, CtrlCDoesNotHideThatNothingCouldBeSaved) {
  const std::string folder = File("folder"), file = folder + "/cut.ckpt";
  std::filesystem::create_directory(folder);
  Cancellation interrupt;
  const Ended run = RunActing(
      Training({"--eval-every", "0", "--steps", "5", "--run", "cut", "--checkpoint", file}),
      R"("update":1)",
      [&] {
        std::filesystem::remove(folder);
        interrupt.Cancel();
      },
      {.interrupt = &interrupt});
  EXPECT_EQ(run.code, kExitInterrupted);
  EXPECT_THAT(run.err, HasSubstr(file));
  EXPECT_EQ(run.Lines("end").at(0)["update"], 1);
}

TEST_F(TrainProgramTest, CtrlCWithoutACheckpointSaysThatNothingIsSaved) {
  const Ended run = RunInterrupted(Training({"--eval-every", "0", "--steps", "5", "--run", "cut"}),
                                   R"("update":1)");
  EXPECT_EQ(run.code, kExitInterrupted);
  EXPECT_EQ(run.err, "note: what was trained is not saved; --checkpoint FILE keeps it\n");
}

TEST_F(TrainProgramTest, CtrlCBeforeTheFirstUpdateSavesToo) {
  const Ended stopped =
      RunInterrupted(Training({"--eval-every", "0", "--steps", "2", "--run", "cut", "--checkpoint",
                               File("cut.ckpt"), "--policy", "delayed:1"}),
                     R"("begin")");
  EXPECT_EQ(stopped.code, kExitInterrupted) << stopped.err;
  EXPECT_EQ(stopped.Lines("end").at(0)["interrupted"], true);
  const Ended rest = Resume({"--checkpoint", File("cut.ckpt"), "--eval-every", "0"});
  EXPECT_EQ(rest.code, kExitOk) << rest.err;
  EXPECT_EQ(rest.Lines("end").at(0)["update"], 2);
}

// The one that is interrupted tells the others, and all stop after the same update.
TEST_F(TrainProgramTest, CtrlCAtOneOfTwoProcessesStopsBothAfterOneUpdate) {
  const auto args = [&](const char* rank) {
    return Training({"--eval-every", "0", "--steps", "1000", "--run", "two", "--world", "2",
                     "--rendezvous", "file:" + File("meet"), "--rank", rank, "--checkpoint",
                     File("two.ckpt")});
  };
  Ended other;
  std::thread second([&] { other = RunWith(args("1")); });
  const Ended first = RunInterrupted(args("0"), R"("update":2)");
  second.join();
  EXPECT_EQ(first.code, kExitInterrupted);
  EXPECT_EQ(other.code, kExitInterrupted) << other.err;
  const std::string note =
      "note: waiting until all 2 processes have met at file:" + File("meet") + "\n";
  EXPECT_EQ(first.err, note);
  EXPECT_EQ(other.err, note);
  EXPECT_EQ(first.Lines("end").at(0)["update"], 3);
  EXPECT_EQ(first.Lines("checkpoint").at(0)["update"], 3);
}

// Rank 0 and rank 1 of a world of two, each in a thread; they meet in the file.
std::array<Ended, 2> RunPair(const std::string& meet, const Args& args,
                             const std::function<Ended(const Args&)>& run) {
  std::array<Ended, 2> ended;
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < ended.size(); ++rank) {
    Args all = args;
    all.insert(all.end(),
               {"--world", "2", "--rank", std::to_string(rank), "--rendezvous", "file:" + meet});
    threads.emplace_back([&ended, &run, rank, all] { ended[rank] = run(all); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Ended& end : ended) EXPECT_EQ(end.code, kExitOk) << end.err;
  return ended;
}

// Two ranks with a batch each are one with two, but for the rounding of sums. train_test has them
// in processes of their own.
TEST_F(TrainProgramTest, TwoRanksTrainWhatOneWithTwoBatchesTrains) {
  const auto train = [this](const Args& args) { return Train(args); };
  ASSERT_EQ(
      Train({"--steps", "4", "--run", "one", "--accumulate", "2", "--checkpoint", File("one.ckpt")})
          .code,
      kExitOk);
  const auto ended = RunPair(
      File("meet"), {"--steps", "4", "--run", "two", "--checkpoint", File("two.ckpt")}, train);
  EXPECT_EQ(ended[0].Lines("update").size(), 4u);
  EXPECT_THAT(ended[1].out, IsEmpty());
  EXPECT_LE(testing::LargestWeightDifference(StateOf("one.ckpt"), StateOf("two.ckpt")),
            testing::kRoundingOfSums);
  // A checkpoint of two is of two.
  EXPECT_THAT(Resume({"--checkpoint", File("two.ckpt")}).err,
              HasSubstr("is of a training of 2 processes"));
}

TEST_F(TrainProgramTest, TwoProcessesGoOnWithTheWeightsOfAnUninterruptedTraining) {
  const auto train = [this](const Args& args) { return Train(args); };
  const auto resume = [this](const Args& args) { return Resume(args); };
  const auto args = [this](const char* run, const char* steps) {
    return Args{"--schedule", "constant", "--run",        run,
                "--steps",    steps,      "--checkpoint", File(run)};
  };
  RunPair(File("meet"), args("whole", "4"), train);
  RunPair(File("meet again"), args("cut", "2"), train);
  RunPair(File("and again"), {"--steps", "4", "--checkpoint", File("cut")}, resume);
  EXPECT_EQ(StateOf("cut"), StateOf("whole"));
}

}  // namespace
}  // namespace mixfeed
