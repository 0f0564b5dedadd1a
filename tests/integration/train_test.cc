// The trainer and the server as processes of their own, which are killed.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "client/train/checkpoint.h"
#include "tests/client/train/learner_kit.h"
#include "tests/integration/feed_fixture.h"

namespace mixfeed::testing {
namespace {

// The parameter: a policy.
class TrainTest : public FeedTest, public ::testing::WithParamInterface<const char*> {
 protected:
  TrainTest() : server_(StartServer("a", {"--guess-threads", "1"})) {}

  std::string File(const std::string& run) const { return dir().File(run + ".ckpt"); }

  // Under a constant schedule, which does not depend on `steps`.
  std::vector<std::string> Training(const std::string& run, uint64_t steps) const {
    return {"--server",
            server_->address(),
            "--labels",
            "100",
            "--batch",
            "4",
            "--threads",
            "1",
            "--run",
            run,
            "--policy",
            GetParam(),
            "--steps",
            std::to_string(steps),
            "--eval-every",
            "6",
            "--log-every",
            "1",
            "--checkpoint",
            File(run),
            "--checkpoint-every",
            "4",
            "--json"};
  }

  static ChildProcess Start(const std::vector<std::string>& args) {
    return {MIXFEED_TRAIN_PROGRAM, args};
  }

  // Reads up to a line with `text`, which it returns; empty where there is none.
  static std::string ReadTo(ChildProcess& process, const std::string& text) {
    for (std::string line = process.ReadLine(); !line.empty(); line = process.ReadLine()) {
      if (line.find(text) != std::string::npos) return line;
    }
    return "";
  }

  static void RunToTheEnd(ChildProcess& process) {
    EXPECT_NE(ReadTo(process, R"("event":"end")"), "");
    EXPECT_EQ(ExitCode(process.End(0)), 0);
  }

  std::string StateOf(const std::string& run) const {
    const auto bytes = ReadCheckpointFile(File(run));
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    const auto checkpoint = ParseCheckpoint(run, bytes.value_or(""));
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
    return checkpoint.ok() ? checkpoint->tensors.bytes() : "";
  }

  // Resumes the run and compares it with one that makes all `steps` at once.
  void ExpectGoesOnAsUninterrupted(const std::string& run, uint64_t steps) const {
    std::vector<std::string> again = Training(run, steps);
    again.push_back("--resume");
    ChildProcess rest = Start(again);
    RunToTheEnd(rest);
    ChildProcess whole = Start(Training("whole", steps));
    RunToTheEnd(whole);
    EXPECT_EQ(StateOf(run), StateOf("whole"));
  }

  std::vector<std::string> OfTwo(const std::string& run, uint64_t steps, const std::string& rank,
                                 bool resume = false) const {
    std::vector<std::string> args = Training(run, steps);
    args.insert(args.end(), {"--world", "2", "--rank", rank, "--rendezvous",
                             "file:" + dir().File(run + (resume ? ".again" : ".meet"))});
    if (resume) args.push_back("--resume");
    return args;
  }

  static constexpr uint64_t kMany = 100'000;  // more than there is time for

  std::unique_ptr<ServerProcess> server_;
};

// Killed after updates whose weights were pushed and whose steps were guessed, past its newest
// checkpoint; then ended by a signal, wherever that finds it; then by its last update.
TEST_P(TrainTest, KilledAndResumedItEndsWithTheWeightsOfAnUninterruptedTraining) {
  ChildProcess killed = Start(Training("cut", kMany));
  ASSERT_NE(ReadTo(killed, R"("event":"update","update":7)"), "");
  EXPECT_EQ(WTERMSIG(killed.End(SIGKILL)), SIGKILL);

  std::vector<std::string> again = Training("cut", kMany);
  again.push_back("--resume");
  ChildProcess interrupted = Start(again);
  ASSERT_NE(ReadTo(interrupted, R"("event":"update","update":9)"), "");
  interrupted.Signal(SIGINT);
  const auto end = nlohmann::json::parse(ReadTo(interrupted, R"("event":"end")"));
  EXPECT_EQ(end["interrupted"], true);
  EXPECT_EQ(ExitCode(interrupted.End(0)), 130);
  const uint64_t steps = end["update"].get<uint64_t>() + 3;

  ExpectGoesOnAsUninterrupted("cut", steps);
}

using TrainPairTest = TrainTest;

// But for the rounding of sums.
TEST_P(TrainPairTest, TwoProcessesTrainWhatOneWithTwoBatchesTrains) {
  std::vector<std::string> accumulating = Training("one", 4);
  accumulating.insert(accumulating.end(), {"--accumulate", "2"});
  ChildProcess one = Start(accumulating);
  RunToTheEnd(one);
  ChildProcess first = Start(OfTwo("two", 4, "0"));
  ChildProcess second = Start(OfTwo("two", 4, "1"));
  RunToTheEnd(first);
  EXPECT_EQ(ExitCode(second.End(0)), 0);
  EXPECT_LE(LargestWeightDifference(StateOf("one"), StateOf("two")), kRoundingOfSums);
}

// What a training loses that ends through no fault of its own: nothing.
class TrainFaultTest : public TrainTest {
 protected:
  // Reads to the end of the output of a training that fails after `update` or later, and returns
  // the update that it saved last, which must be its last: the last that it told of, or one of up
  // to `untold` after it.
  static uint64_t SavedBeforeTheEnd(ChildProcess& process, uint64_t update, uint64_t untold) {
    uint64_t saved = 0;
    for (std::string line = process.ReadLine(); !line.empty(); line = process.ReadLine()) {
      const auto json = nlohmann::json::parse(line);
      if (json["event"] == "update") update = json["update"];
      if (json["event"] == "checkpoint") saved = json["update"];
    }
    EXPECT_EQ(ExitCode(process.End(0)), 1);
    EXPECT_GE(saved, update);
    EXPECT_LE(saved, update + untold);
    return saved;
  }
};

TEST_P(TrainFaultTest, OfTwoProcessesOneIsKilledAndBothGoOn) {
  uint64_t steps = 0;
  {
    ChildProcess first = Start(OfTwo("cut", kMany, "0"));
    ChildProcess second = Start(OfTwo("cut", kMany, "1"));
    ASSERT_NE(ReadTo(first, R"("event":"update","update":5)"), "");
    EXPECT_EQ(WTERMSIG(second.End(SIGKILL)), SIGKILL);
    steps = SavedBeforeTheEnd(first, 5, /*untold=*/0) + 3;
  }
  for (const bool whole : {false, true}) {
    const std::string run = whole ? "whole" : "cut";
    ChildProcess first = Start(OfTwo(run, steps, "0", !whole));
    ChildProcess second = Start(OfTwo(run, steps, "1", !whole));
    RunToTheEnd(first);
    EXPECT_EQ(ExitCode(second.End(0)), 0);
  }
  EXPECT_EQ(StateOf("cut"), StateOf("whole"));
}

TEST_P(TrainFaultTest, TheServerIsGoneForLongerThanItIsWaitedFor) {
  std::vector<std::string> args = Training("cut", kMany);
  args.insert(args.end(), {"--wait", "1"});
  uint64_t steps = 0;
  {
    ChildProcess first = Start(args);
    ASSERT_NE(ReadTo(first, R"("event":"update","update":5)"), "");
    server_->End(SIGKILL);
    steps = SavedBeforeTheEnd(first, 5, /*untold=*/1) + 3;  // its push was in vain
  }
  server_ = StartServer("a", {"--guess-threads", "1", "--listen", server_->address()});
  ExpectGoesOnAsUninterrupted("cut", steps);
}

INSTANTIATE_TEST_SUITE_P(Pairs, TrainPairTest, ::testing::Values("lockstep"));
INSTANTIATE_TEST_SUITE_P(Faults, TrainFaultTest, ::testing::Values("lockstep"));
INSTANTIATE_TEST_SUITE_P(Policies, TrainTest, ::testing::Values("lockstep", "delayed:3"),
                         [](const auto& tested) { return std::string(tested.param).substr(0, 7); });

}  // namespace
}  // namespace mixfeed::testing
