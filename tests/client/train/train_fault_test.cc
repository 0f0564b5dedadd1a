// What is kept of trainings that fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <utility>

#include "augment/weights/state_dict.h"
#include "tests/client/train/train_program_kit.h"

namespace mixfeed {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using testing::Ended;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::RunActing;
using ::testing::StartsWith;
using testing::TrainProgramTest;

// Regression: an update was saved only when the server was gone, not when it refused.
TEST_F(TrainProgramTest, AServerThatHasForgottenEverythingCostsNoUpdates) {
  ASSERT_EQ(Train({"--run", "whole", "--steps", "6", "--checkpoint", File("whole.ckpt")}).code,
            kExitOk);
  const Ended run = RunActing(Training({"--eval-every", "0", "--steps", "6", "--run", "cut",
                                        "--checkpoint", File("cut.ckpt")}),
                              R"("update":3)", [this] {
                                server_.options()->state_dir = File("another state");
                                server_.Restart();
                              });
  EXPECT_EQ(run.code, kExitError);
  // 4 where its batch had come: its push was in vain.
  EXPECT_THAT(run.Lines("checkpoint").at(0)["update"].get<int>(), AnyOf(3, 4)) << run.err;
  const Ended rest = Resume({"--checkpoint", File("cut.ckpt"), "--eval-every", "0"});
  ASSERT_EQ(rest.code, kExitOk) << rest.err;
  EXPECT_EQ(StateOf("cut.ckpt"), StateOf("whole.ckpt"));
}

// Its reader is gone at the second update.
class UnreadBuffer final : public std::stringbuf {
 protected:
  int sync() override { return str().find(R"("update":2)") == std::string::npos ? 0 : -1; }
};

TEST_F(TrainProgramTest, AnOutputThatNobodyReadsCostsNoUpdates) {
  UnreadBuffer buffer;
  std::ostream out(&buffer);
  std::ostringstream err;
  const testing::Args args = Training({"--eval-every", "0", "--recipe", "mixup", "--run", "a",
                                       "--steps", "4", "--checkpoint", File("a.ckpt")});
  EXPECT_EQ(RunTrain(args, out, err, {}), kExitError);
  EXPECT_THAT(err.str(), AllOf(HasSubstr("cannot be written"), Not(HasSubstr("not saved"))));
  const Ended rest = Resume({"--checkpoint", File("a.ckpt"), "--eval-every", "0"});
  EXPECT_EQ(rest.Lines("begin").at(0)["update"], 2);
}

TEST_F(TrainProgramTest, FilesThatCannotBeWrittenAreSaidBeforeTheTraining) {
  std::filesystem::create_directory(File("folder.png"));
  const std::pair<testing::Args, std::string> wrong[] = {
      {{"--checkpoint", File("typo/a.ckpt")}, "its folder: No such file or directory"},
      {{"--checkpoint", dir_.path()}, "is a folder"},
      {{"--png", File("typo/a.png")}, "its folder: No such file or directory"},
      {{"--png", File("folder.png")}, "is a folder"},
  };
  for (const auto& [flags, reason] : wrong) {
    const Ended run = Train(flags);
    EXPECT_EQ(run.code, kExitError);
    EXPECT_THAT(run.out, IsEmpty());
    EXPECT_EQ(run.err,
              "mixfeed-train: " + flags[0] + ": cannot write '" + flags[1] + "': " + reason + "\n");
  }
}

TEST_F(TrainProgramTest, APictureThatCannotBeWrittenHidesNothingElse) {
  const std::string folder = File("folder");
  std::filesystem::create_directory(folder);
  const Ended run =
      RunActing(Training({"--eval-every", "0", "--recipe", "mixup", "--steps", "2", "--png",
                          folder + "/a.png", "--checkpoint", File("a.ckpt")}),
                R"("update":1)", [&] { std::filesystem::remove(folder); });
  EXPECT_EQ(run.code, kExitError);
  EXPECT_EQ(run.Lines("end").at(0)["update"], 2);
  EXPECT_THAT(run.err, StartsWith("mixfeed-train: --png: cannot write '" + folder));
  EXPECT_NE(StateOf("a.ckpt"), "");
}

// Kernels grow ninefold an update: w *= 1 - weight decay * rate.
TEST_F(TrainProgramTest, ALossThatIsNotFiniteEndsTheTraining) {
  const Ended run = Train({"--recipe", "mixup", "--lr", "10", "--weight-decay", "1", "--steps",
                           "100", "--checkpoint", File("a.ckpt")});
  EXPECT_EQ(run.code, kExitError);
  const uint64_t last = run.Lines("update").back()["update"];
  EXPECT_THAT(run.err, AllOf(HasSubstr(" in update " + std::to_string(last + 1)),
                             HasSubstr("must be finite; the learning rate was 10"),
                             HasSubstr("--lr"), Not(HasSubstr("saved"))));
  EXPECT_FALSE(std::filesystem::exists(File("a.ckpt")));
}

// Only the average is NaN; the loss stays finite.
TEST_F(TrainProgramTest, WeightsThatAreNotFiniteReplaceNoCheckpoint) {
  ASSERT_EQ(
      Train({"--recipe", "mixup", "--run", "a", "--steps", "1", "--checkpoint", File("a.ckpt")})
          .code,
      kExitOk);
  const auto sound = ParseCheckpoint("a", *ReadCheckpointFile(File("a.ckpt")));
  ASSERT_TRUE(sound.ok()) << sound.status();
  std::string bytes = sound->tensors.bytes();
  const WeightTensor& first = sound->tensors.tensors().front();
  ASSERT_TRUE(first.name.starts_with("average/")) << first.name;
  const auto at = reinterpret_cast<const char*>(first.data.data()) - sound->tensors.bytes().data();
  bytes.replace(static_cast<size_t>(at), 4, "\xff\xff\xff\xff");  // NaN
  ASSERT_TRUE(WriteCheckpoint(File("a.ckpt"), sound->description, bytes).ok());
  const Ended run = Resume({"--checkpoint", File("a.ckpt"), "--steps", "2", "--eval-every", "0"});
  EXPECT_EQ(run.code, kExitError);
  EXPECT_THAT(run.err, AllOf(HasSubstr("update 2 cannot be saved: "), HasSubstr(first.name),
                             HasSubstr("a.ckpt is of update 1"), Not(HasSubstr("not saved"))));
  EXPECT_EQ(StateOf("a.ckpt"), bytes);
}

}  // namespace
}  // namespace mixfeed
