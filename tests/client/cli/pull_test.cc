#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/client/cli/cli_fixture.h"

namespace mixfeed {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Keys;
using ::testing::Not;
using testing::ordered_json;
using ::testing::StartsWith;
using PullTest = testing::CliTest;

TEST_F(PullTest, APullWhoseOutputCannotBeWrittenEnds) {
  std::ofstream out("/dev/full");
  std::ostringstream err;
  EXPECT_EQ(RunCli({"pull", "--steps", "0", "--server", server_.address()}, out, err), kExitError);
  EXPECT_THAT(err.str(), HasSubstr("1 batches"));
}

TEST_F(PullTest, PullJsonPrintsOneObjectALine) {
  ASSERT_EQ(Run({"pull", "--steps", "3", "--from-step", "5", "--json"}), kExitOk) << err_;
  ASSERT_EQ(Lines().size(), 3u);
  uint64_t step = 5;
  for (const ordered_json& line : Lines()) {
    EXPECT_THAT(Keys(line), ElementsAre("step", "digest", "rows", "bytes", "guess_version",
                                        "guess_age", "confidence"));
    EXPECT_EQ(line["step"], step++);
    EXPECT_THAT(line["digest"].get<std::string>(), ::testing::MatchesRegex("[0-9a-f]{16}"));
    EXPECT_EQ(line["rows"], 3);
    EXPECT_EQ(line["bytes"], 3 * 4 + 3 * 4 * 4);
    EXPECT_EQ(line["guess_version"], 3);
    EXPECT_EQ(line["confidence"], 0.75);
  }
}

TEST_F(PullTest, PullWithoutGuessesSaysNull) {
  server_.EditBatches([](v1::Batch* batch) { batch->mutable_header()->clear_guess(); });
  ASSERT_EQ(Run({"pull", "--steps", "1", "--json"}), kExitOk) << err_;
  EXPECT_THAT(Keys(Object()), ElementsAre("step", "digest", "rows", "bytes", "guess_version"));
  EXPECT_EQ(Object()["guess_version"], nullptr);
}

TEST_F(PullTest, PullPrintsForPeopleAndSumsUpOnTheErrorStream) {
  ASSERT_EQ(Run({"pull", "--steps", "2"}), kExitOk) << err_;
  EXPECT_THAT(out_,
              AllOf(HasSubstr("step 0"), HasSubstr("guess v3"), HasSubstr("confidence 0.750")));
  EXPECT_THAT(err_, AllOf(StartsWith("mixfeed: 2 batches, 6 images"), HasSubstr("images/s")));
}

TEST_F(PullTest, PullPassesRankWorldSharingAndFormatOn) {
  ASSERT_EQ(Run({"pull", "--steps", "2", "--rank", "1", "--world", "3", "--sharing", "broadcast",
                 "--format", "uint8", "--layout", "nhwc", "--prefetch", "5"}),
            kExitOk)
      << err_;
  const v1::OpenStream open = server_.streams().at(0);
  EXPECT_EQ(open.rank(), 1u);
  EXPECT_EQ(open.world(), 3u);
  EXPECT_EQ(open.sharing(), v1::OpenStream::BROADCAST);
  EXPECT_EQ(open.format().type(), v1::UINT8);
  EXPECT_EQ(open.format().layout(), v1::NHWC);
  EXPECT_EQ(open.credits(), 5u);
}

TEST_F(PullTest, PullGetAsksForTheSameBatchesOneByOne) {
  ASSERT_EQ(Run({"pull", "--steps", "3", "--rank", "1", "--world", "2", "--json"}), kExitOk);
  const std::string streamed = out_;
  ASSERT_EQ(Run({"pull", "--steps", "3", "--rank", "1", "--world", "2", "--json", "--get"}),
            kExitOk);
  EXPECT_EQ(out_, streamed);
  EXPECT_EQ(server_.calls("GetBatch"), 3);
  EXPECT_FALSE(server_.last_get().has_share());
}

TEST_F(PullTest, PullGetAsksForItsShareUnderSplitSharing) {
  ASSERT_EQ(
      Run({"pull", "--steps", "2", "--rank", "1", "--world", "2", "--sharing", "split", "--get"}),
      kExitOk);
  EXPECT_EQ(server_.last_get().step(), 1u);
  EXPECT_EQ(server_.last_get().share().rank(), 1u);
  EXPECT_EQ(server_.last_get().share().world(), 2u);
}

TEST_F(PullTest, PullRefusesARankThatIsNotOfItsWorld) {
  for (const char* get : {"--json", "--get"}) {
    EXPECT_EQ(Run({"pull", "--rank", "2", "--world", "2", get}), kExitError);
    EXPECT_EQ(err_, "mixfeed: rank: 2 given, must be below the world of 2\n");
  }
  EXPECT_EQ(server_.calls("GetBatch"), 0);
}

TEST_F(PullTest, PullEndsWithTheFeed) {
  v1::OpenFeedResponse ordered = server_.feed();
  ordered.set_steps(4);
  server_.SetFeed(ordered);
  server_.Script({.batches = 4});
  ASSERT_EQ(Run({"pull", "--steps", "0", "--json"}), kExitOk) << err_;
  EXPECT_EQ(Lines().size(), 4u);
  server_.Script({.batches = 0, .end = absl::OutOfRangeError("from_step: 9 given, 4 steps")});
  EXPECT_EQ(Run({"pull", "--from-step", "9"}), kExitError);
  EXPECT_EQ(err_, "mixfeed: from_step: 9 given, 4 steps\n");
}

TEST_F(PullTest, PullSaysHowOftenItConnectedAgain) {
  server_.Script({.batches = 2, .end = absl::UnavailableError("draining")});
  ASSERT_EQ(Run({"pull", "--steps", "4", "--json"}), kExitOk) << err_;
  EXPECT_EQ(Lines().size(), 4u);
  EXPECT_THAT(err_, StartsWith("mixfeed: connected again 1 times\nmixfeed: 4 batches"));
}

TEST_F(PullTest, PullUnmixedAsksForTheStepsImages) {
  ASSERT_EQ(Run({"pull", "--unmixed", "--steps", "2", "--from-step", "3", "--rank", "1", "--world",
                 "2", "--json"}),
            kExitOk)
      << err_;
  ASSERT_EQ(Lines().size(), 2u);
  EXPECT_EQ(Lines()[0]["step"], 3);
  EXPECT_EQ(Lines()[1]["step"], 5);
  const ordered_json line = Lines()[0];
  EXPECT_THAT(Keys(line), ElementsAre("step", "digest", "images", "rows", "bytes", "type",
                                      "labelled_rows", "unlabelled_rows", "views", "temperature"));
  EXPECT_EQ(line["images"], 3);
  EXPECT_EQ(line["bytes"], 3 * 4 + 3 * 4 * 4);
  EXPECT_EQ(line["type"], "uint8");
  EXPECT_EQ(line["labelled_rows"], 2);
  EXPECT_EQ(line["unlabelled_rows"], 1);
  EXPECT_EQ(line["views"], 1);
  EXPECT_EQ(server_.calls("GetBatch"), 0);
  EXPECT_THAT(err_, StartsWith("mixfeed: 2 batches, 6 images"));
}

TEST_F(PullTest, PullUnmixedPrintsForPeople) {
  ASSERT_EQ(Run({"pull", "--unmixed", "--steps", "1"}), kExitOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("3 images  60 bytes  uint8  2 labelled"),
                          HasSubstr("+ 1 views of 1 unlabelled")));
}

TEST_F(PullTest, PullGetFetchesNothingAhead) {
  EXPECT_EQ(Run({"pull", "--get", "--prefetch", "2"}), kExitUsage);
  EXPECT_THAT(err_, AllOf(HasSubstr("--get"), HasSubstr(" excludes "), HasSubstr("--prefetch")));
}

TEST_F(PullTest, PullUnmixedTakesNoFlagsOfBatches) {
  for (const char* flag : {"--format=uint8", "--layout=nhwc", "--targets=soft", "--normalise=unit",
                           "--sharing=broadcast", "--prefetch=2", "--get"}) {
    EXPECT_EQ(Run({"pull", "--unmixed", flag}), kExitUsage) << flag;
    EXPECT_THAT(err_, AllOf(HasSubstr("--unmixed"), HasSubstr(" excludes "))) << flag;
  }
  EXPECT_EQ(Run({"pull", "--unmixed", "--rank", "2", "--world", "2"}), kExitError);
}

// Interrupts at the given flush; pull flushes its output once a batch.
class InterruptingBuffer final : public std::stringbuf {
 public:
  explicit InterruptingBuffer(Cancellation* interrupt, int flush = 2)
      : interrupt_(interrupt), flush_(flush) {}

  // Whether the interrupt found something to end; else it is the process that ends.
  bool found() const { return found_; }

 protected:
  int sync() override {
    if (++flushes_ == flush_) found_ = interrupt_->Cancel();
    return 0;
  }

 private:
  Cancellation* const interrupt_;
  const int flush_;
  bool found_ = false;
  int flushes_ = 0;
};

TEST_F(PullTest, AnInterruptEndsAPullWithItsSummary) {
  for (const char* how : {"--json", "--get", "--unmixed"}) {
    server_.Script({.batches = 2, .stall = true});  // of a stream
    Cancellation interrupt;
    InterruptingBuffer buffer(&interrupt);
    std::ostream out(&buffer);
    std::ostringstream err;
    EXPECT_EQ(RunCli({"pull", "--steps", "0", how, "--server", server_.address()}, out, err,
                     {.interrupt = &interrupt}),
              kExitInterrupted)
        << how;
    EXPECT_THAT(err.str(), AllOf(HasSubstr("2 batches"), Not(HasSubstr("cancelled")))) << how;
    EXPECT_TRUE(buffer.found()) << how;
  }
}

// As long as nobody pushes, of a lockstep feed.
TEST_F(PullTest, APullThatWaitsSaysWhatFor) {
  v1::OpenFeedResponse feed = server_.feed();
  v1::Recipe* const recipe = feed.mutable_spec()->mutable_recipe();
  recipe->set_rows(v1::Recipe::LABELLED_AND_UNLABELLED);
  recipe->mutable_guess()->set_policy(v1::Guess::LOCKSTEP);
  server_.SetFeed(feed);
  server_.Script({.batches = 0, .stall = true});
  Cancellation interrupt;
  InterruptingBuffer buffer(&interrupt, 1);
  std::ostringstream out;
  std::ostream err(&buffer);
  EXPECT_EQ(RunCli({"pull", "--server", server_.address()}, out, err,
                   {.interrupt = &interrupt, .patience = std::chrono::milliseconds(10)}),
            kExitInterrupted);
  EXPECT_THAT(buffer.str(), AllOf(StartsWith("note: no batch has come for 0.01 s; with the policy "
                                             "lockstep a step waits until a trainer has pushed"),
                                  HasSubstr("--weights-wait-ms")));
}

}  // namespace
}  // namespace mixfeed
