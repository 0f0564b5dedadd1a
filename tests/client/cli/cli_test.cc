#include "client/cli/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/client/fake_server.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using nlohmann::ordered_json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::FakeServer;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::StartsWith;
using testing::TempDir;

std::vector<std::string> Keys(const ordered_json& object) {
  std::vector<std::string> keys;
  for (const auto& item : object.items()) keys.push_back(item.key());
  return keys;
}

class CliTest : public ::testing::Test {
 protected:
  // Runs `mixfeed args... --server FAKE`.
  int Run(std::vector<std::string> args, const CliOptions& options = {}) {
    args.insert(args.end(), {"--server", server_.address(), "--wait", "5"});
    return RunAlone(args, options);
  }

  int RunAlone(const std::vector<std::string>& args, const CliOptions& options = {}) {
    std::ostringstream out, err;
    const int code = RunCli(args, out, err, options);
    out_ = out.str();
    err_ = err.str();
    return code;
  }

  // The objects of the output's lines.
  std::vector<ordered_json> Lines() const {
    std::vector<ordered_json> lines;
    std::istringstream text(out_);
    for (std::string line; std::getline(text, line);) lines.push_back(ordered_json::parse(line));
    return lines;
  }

  ordered_json Object() const {
    EXPECT_EQ(Lines().size(), 1u) << out_;
    return Lines().at(0);
  }

  FakeServer server_;
  std::string out_;
  std::string err_;
};

TEST_F(CliTest, HelpTeachesWithExamples) {
  EXPECT_EQ(RunAlone({"--help"}), kExitOk);
  EXPECT_THAT(out_, AllOf(HasSubstr("pull"), HasSubstr("mixfeed-server --data generated")));
  for (const std::vector<std::string>& command : {std::vector<std::string>{"info"},
                                                  {"open"},
                                                  {"pull"},
                                                  {"peek"},
                                                  {"explain"},
                                                  {"split"},
                                                  {"bench"},
                                                  {"model", "register"},
                                                  {"model", "list"}}) {
    std::vector<std::string> args = command;
    args.push_back("--help");
    EXPECT_EQ(RunAlone(args), kExitOk);
    EXPECT_THAT(out_, AllOf(HasSubstr("Examples:\n  mixfeed " + command[0]), HasSubstr("--server"),
                            HasSubstr("--json")));
    EXPECT_THAT(err_, IsEmpty());
  }
}

TEST_F(CliTest, HelpSaysWhatTheExitCodesMean) {
  EXPECT_EQ(RunAlone({"--help"}), kExitOk);
  EXPECT_THAT(out_, HasSubstr("0 fine, 1 error, 2 wrong usage, 130 interrupted"));
}

TEST_F(CliTest, SaysItsVersion) {
  EXPECT_EQ(RunAlone({"--version"}), kExitOk);
  EXPECT_THAT(out_, ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST_F(CliTest, WrongUsageIsOneLineAndExitCode2) {
  for (const std::vector<std::string>& args : {std::vector<std::string>{},
                                               {"dance"},
                                               {"pull", "--batch", "x"},
                                               {"pull", "--nothing"},
                                               {"model"},
                                               {"model", "register"},
                                               {"pull", "--sharing", "none"},
                                               {"pull", "--world", "0"},
                                               {"info", "--wait", "0"},
                                               {"info", "--wait", "1e300"},
                                               {"bench", "--seconds", "0.009"},
                                               {"bench", "--seconds", "61"}}) {
    EXPECT_EQ(RunAlone(args), kExitUsage);
    EXPECT_THAT(err_, StartsWith("mixfeed: "));
    EXPECT_EQ(std::count(err_.begin(), err_.end(), '\n'), 1) << err_;
    EXPECT_THAT(out_, IsEmpty());
  }
}

TEST_F(CliTest, WrongUsagePointsToTheHelpOfItsCommand) {
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{}, "; see mixfeed --help\n"},
      {{"dance"}, "; see mixfeed --help\n"},
      {{"pull", "--nothing"}, "; see mixfeed pull --help\n"},
      {{"pull", "--batch", "x"}, "; see mixfeed pull --help\n"},
      {{"model", "register"}, "; see mixfeed model register --help\n"},
  };
  for (const auto& [args, end] : cases) {
    RunAlone(args);
    EXPECT_THAT(err_, ::testing::EndsWith(end));
  }
}

// Command lines that print something, one a command.
const std::vector<std::string> kCommandLines[] = {
    {"info"},
    {"open"},
    {"pull", "--steps", "1"},
    {"peek", "--out", "/dev/null"},
    {"explain"},
    {"split"},
    {"bench", "--seconds", "0.01", "--rounds", "1"},
    {"model", "register", "small", "--kind", "resnet-small"},
    {"model", "list"}};

TEST_F(CliTest, OutputThatCannotBeWrittenIsAnError) {
  for (std::vector<std::string> args : kCommandLines) {
    args.insert(args.end(), {"--server", server_.address()});
    for (const bool json : {false, true}) {
      if (json) args.push_back("--json");
      std::ofstream out("/dev/full");
      std::ostringstream err;
      EXPECT_EQ(RunCli(args, out, err), kExitError) << args[0];
      EXPECT_THAT(err.str(), HasSubstr("mixfeed: the standard output cannot be written"));
    }
  }
  std::ofstream out("/dev/full");
  std::ostringstream err;
  EXPECT_EQ(RunCli({"--help"}, out, err), kExitError);
}

TEST_F(CliTest, APullWhoseOutputCannotBeWrittenEnds) {
  std::ofstream out("/dev/full");
  std::ostringstream err;
  EXPECT_EQ(RunCli({"pull", "--steps", "0", "--server", server_.address()}, out, err), kExitError);
  EXPECT_THAT(err.str(), HasSubstr("1 batches"));
}

TEST_F(CliTest, ExceptionsAreReported) {
  std::ofstream out("/dev/full");
  out.exceptions(std::ios::badbit);
  std::ostringstream err;
  EXPECT_EQ(RunCli({"info", "--server", server_.address()}, out, err), kExitError);
  EXPECT_THAT(err.str(), AllOf(StartsWith("mixfeed: "), ::testing::EndsWith("\n")));
}

TEST_F(CliTest, ANameThatIsNotUtf8IsPrintedAllTheSame) {
  const TempDir dir;
  ASSERT_EQ(Run({"peek", "--out", dir.File("\xff.png"), "--json"}), kExitOk) << err_;
  EXPECT_EQ(Object()["file"], dir.File("\uFFFD.png"));
}

TEST_F(CliTest, CommandsOfAFeedTakeTheSameFlags) {
  for (std::vector<std::string> args : kCommandLines) {
    if (args[0] == "info" || args[0] == "model") continue;
    args.insert(args.end(), {"--recipe", "mixup", "--format", "uint8", "--layout", "nhwc",
                             "--normalise", "raw", "--run", "a", "--seed", "1"});
    EXPECT_EQ(Run(args), kExitOk) << err_;
  }
}

TEST_F(CliTest, HelpSaysWhereThePixelFlagsChangeNothing) {
  for (const char* command : {"open", "explain", "peek", "split", "pull", "bench"}) {
    ASSERT_EQ(RunAlone({command, "--help"}), kExitOk);
    const bool unused = out_.find("they change nothing here") != std::string::npos;
    EXPECT_EQ(unused, command != std::string("pull") && command != std::string("bench")) << command;
  }
}

TEST_F(CliTest, AnErrorIsOneLineAndExitCode1) {
  server_.Fail("OpenFeed", absl::InvalidArgumentError("views: 9 given,\n1..8 allowed"), 1);
  EXPECT_EQ(Run({"open", "--views", "9"}), kExitError);
  EXPECT_EQ(err_, "mixfeed: views: 9 given, 1..8 allowed\n");
  server_.Fail("GetServerInfo", absl::UnimplementedError(""), 1);
  EXPECT_EQ(Run({"info"}), kExitError);
  EXPECT_EQ(err_, "mixfeed: UNIMPLEMENTED\n");
}

TEST_F(CliTest, AServerThatIsNotThereIsNamed) {
  server_.Stop();
  EXPECT_EQ(RunAlone({"info", "--server", server_.address(), "--wait", "0.1"}), kExitError);
  EXPECT_THAT(err_, AllOf(StartsWith("mixfeed: no mixfeed server answered at"),
                          HasSubstr(server_.address())));
}

TEST_F(CliTest, TheServersAddressComesFromTheEnvironmentToo) {
  setenv("MIXFEED_SERVER", server_.address().c_str(), 1);
  EXPECT_EQ(RunAlone({"info"}), kExitOk) << err_;
  unsetenv("MIXFEED_SERVER");
}

TEST_F(CliTest, InfoJsonHasWhatTheContractSays) {
  ASSERT_EQ(Run({"info", "--json"}), kExitOk) << err_;
  const ordered_json info = Object();
  EXPECT_THAT(Keys(info), IsSupersetOf({"version", "device", "datasets", "models", "feeds"}));
  EXPECT_EQ(info["version"], "1.2.3");
  EXPECT_EQ(info["datasets"][0]["train_images"], 50000);
  EXPECT_EQ(info["models"][0]["name"], "small");
  EXPECT_EQ(info["feeds"][0]["spec"]["dataset"], "fake");
}

TEST_F(CliTest, InfoShowsUnusableDatasets) {
  ASSERT_EQ(Run({"info"}), kExitOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("fake device"), HasSubstr("unusable: file.bin: truncated"),
                          HasSubstr("resnet-small")));
}

TEST_F(CliTest, OpenShowsTheResolvedFeed) {
  ASSERT_EQ(Run({"open", "--batch", "9", "--run", "a"}), kExitOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("feed " + server_.feed().feed_id()), HasSubstr("without end")));
  EXPECT_EQ(server_.last_open().spec().batch(), 9u);
  EXPECT_EQ(server_.last_open().run(), "a");
  ASSERT_EQ(Run({"open", "--json"}), kExitOk) << err_;
  EXPECT_EQ(Object()["feed_id"], server_.feed().feed_id());
  EXPECT_EQ(Object()["steps"], nullptr);
}

TEST_F(CliTest, TheSpecThatOpenPrintsCanBeGivenToSpec) {
  ASSERT_EQ(Run({"open", "--json"}), kExitOk) << err_;
  const TempDir dir;
  std::ofstream(dir.File("spec.json")) << Object()["spec"].dump();
  ASSERT_EQ(Run({"open", "--spec", dir.File("spec.json")}), kExitOk) << err_;
  EXPECT_EQ(server_.last_open().spec().SerializeAsString(),
            server_.feed().spec().SerializeAsString());
}

TEST_F(CliTest, PullJsonPrintsOneObjectALine) {
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

TEST_F(CliTest, PullWithoutGuessesSaysNull) {
  server_.EditBatches([](v1::Batch* batch) { batch->mutable_header()->clear_guess(); });
  ASSERT_EQ(Run({"pull", "--steps", "1", "--json"}), kExitOk) << err_;
  EXPECT_THAT(Keys(Object()), ElementsAre("step", "digest", "rows", "bytes", "guess_version"));
  EXPECT_EQ(Object()["guess_version"], nullptr);
}

TEST_F(CliTest, PullPrintsForPeopleAndSumsUpOnTheErrorStream) {
  ASSERT_EQ(Run({"pull", "--steps", "2"}), kExitOk) << err_;
  EXPECT_THAT(out_,
              AllOf(HasSubstr("step 0"), HasSubstr("guess v3"), HasSubstr("confidence 0.750")));
  EXPECT_THAT(err_, AllOf(StartsWith("mixfeed: 2 batches, 6 images"), HasSubstr("images/s")));
}

TEST_F(CliTest, PullPassesRankWorldSharingAndFormatOn) {
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

TEST_F(CliTest, PullGetAsksForTheSameBatchesOneByOne) {
  ASSERT_EQ(Run({"pull", "--steps", "3", "--rank", "1", "--world", "2", "--json"}), kExitOk);
  const std::string streamed = out_;
  ASSERT_EQ(Run({"pull", "--steps", "3", "--rank", "1", "--world", "2", "--json", "--get"}),
            kExitOk);
  EXPECT_EQ(out_, streamed);
  EXPECT_EQ(server_.calls("GetBatch"), 3);
  EXPECT_FALSE(server_.last_get().has_share());
}

TEST_F(CliTest, PullGetAsksForItsShareUnderSplitSharing) {
  ASSERT_EQ(
      Run({"pull", "--steps", "2", "--rank", "1", "--world", "2", "--sharing", "split", "--get"}),
      kExitOk);
  EXPECT_EQ(server_.last_get().step(), 1u);
  EXPECT_EQ(server_.last_get().share().rank(), 1u);
  EXPECT_EQ(server_.last_get().share().world(), 2u);
}

TEST_F(CliTest, PullRefusesARankThatIsNotOfItsWorld) {
  for (const char* get : {"--json", "--get"}) {
    EXPECT_EQ(Run({"pull", "--rank", "2", "--world", "2", get}), kExitError);
    EXPECT_EQ(err_, "mixfeed: rank: 2 given, must be below the world of 2\n");
  }
  EXPECT_EQ(server_.calls("GetBatch"), 0);
}

TEST_F(CliTest, PullEndsWithTheFeed) {
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

TEST_F(CliTest, PullSaysHowOftenItConnectedAgain) {
  server_.Script({.batches = 2, .end = absl::UnavailableError("draining")});
  ASSERT_EQ(Run({"pull", "--steps", "4", "--json"}), kExitOk) << err_;
  EXPECT_EQ(Lines().size(), 4u);
  EXPECT_THAT(err_, StartsWith("mixfeed: connected again 1 times\nmixfeed: 4 batches"));
}

// Interrupts when it is flushed for the second time: pull flushes once a batch.
class InterruptingBuffer final : public std::stringbuf {
 public:
  explicit InterruptingBuffer(Cancellation* interrupt) : interrupt_(interrupt) {}

 protected:
  int sync() override {
    if (++flushes_ == 2) interrupt_->Cancel();
    return 0;
  }

 private:
  Cancellation* const interrupt_;
  int flushes_ = 0;
};

TEST_F(CliTest, AnInterruptEndsAPullWithItsSummary) {
  server_.Script({.batches = 2, .stall = true});
  Cancellation interrupt;
  InterruptingBuffer buffer(&interrupt);
  std::ostream out(&buffer);
  std::ostringstream err;
  EXPECT_EQ(RunCli({"pull", "--steps", "0", "--server", server_.address()}, out, err,
                   {.interrupt = &interrupt}),
            kExitInterrupted);
  EXPECT_THAT(err.str(), AllOf(HasSubstr("2 batches"), Not(HasSubstr("cancelled"))));
}

TEST_F(CliTest, ExplainJsonHasWhatTheContractSays) {
  v1::GetPlanResponse plan;
  v1::PlanRow* labelled = plan.add_rows();
  labelled->set_pool(v1::LABELLED);
  labelled->set_label(4);
  labelled->set_lambda(0.5f);
  plan.add_rows()->set_pool(v1::UNLABELLED);
  server_.SetPlan(plan);
  ASSERT_EQ(Run({"explain", "--step", "7", "--json"}), kExitOk) << err_;
  EXPECT_THAT(Keys(Object()), ElementsAre("step", "rows"));
  EXPECT_EQ(Object()["step"], 7);
  EXPECT_THAT(Keys(Object()["rows"][0]),
              IsSupersetOf({"sample", "pool", "label", "crop_y", "crop_x", "flip", "view",
                            "partner", "lambda"}));
  EXPECT_EQ(Object()["rows"][0]["label"], 4);
  EXPECT_EQ(Object()["rows"][1]["label"], nullptr);
  ASSERT_EQ(Run({"explain", "--step", "7"}), kExitOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("step 7"), HasSubstr("unlabelled"), HasSubstr("0.500000")));
}

TEST_F(CliTest, PeekSavesThePicture) {
  const TempDir dir;
  const std::vector<std::string> args = {
      "peek", "--step", "6", "--out", dir.File("batch.png"), "--rows", "12", "--scale", "4"};
  ASSERT_EQ(Run(args), kExitOk) << err_;
  EXPECT_THAT(out_, HasSubstr("step 6, 12 x 4 pixels"));
  std::ostringstream saved;
  saved << std::ifstream(dir.File("batch.png")).rdbuf();
  EXPECT_EQ(saved.str(), "png of step 6");
}

TEST_F(CliTest, FilesThatCannotBeWrittenAreNamed) {
  for (const char* command : {"peek", "split"}) {
    for (const std::string path : {"/nowhere/file", "/dev/full"}) {
      EXPECT_EQ(Run({command, "--out", path}), kExitError);
      EXPECT_THAT(err_, HasSubstr("cannot write '" + path + "'"));
    }
  }
}

TEST_F(CliTest, SplitPrintsIndexLists) {
  ASSERT_EQ(Run({"split"}), kExitOk) << err_;
  EXPECT_EQ(out_, "labelled 5 17\nunlabelled 1\nvalidation\n");
  ASSERT_EQ(Run({"split", "--json"}), kExitOk) << err_;
  EXPECT_EQ(out_, "{\"labelled\":[5,17],\"unlabelled\":[1],\"validation\":[]}\n");
}

TEST_F(CliTest, SplitWritesAFile) {
  const TempDir dir;
  ASSERT_EQ(Run({"split", "--out", dir.File("split.txt")}), kExitOk) << err_;
  std::ostringstream saved;
  saved << std::ifstream(dir.File("split.txt")).rdbuf();
  EXPECT_EQ(saved.str(), "labelled 5 17\nunlabelled 1\nvalidation\n");
  EXPECT_THAT(out_, IsEmpty());
}

TEST_F(CliTest, ModelRegisterSendsHeaderAndFile) {
  const TempDir dir;
  std::ofstream(dir.File("model.pt")) << "archive";
  ASSERT_EQ(Run({"model", "register", "mine", "--kind", "torchscript", "--file",
                 dir.File("model.pt"), "--update", "9", "--classes", "7", "--init-seed", "5",
                 "--normalise", "cifar10", "--running-statistics"}),
            kExitOk)
      << err_;
  const v1::RegisterModelHeader header = server_.last_header();
  EXPECT_EQ(header.name(), "mine");
  EXPECT_EQ(header.kind(), "torchscript");
  EXPECT_EQ(header.update(), 9u);
  EXPECT_EQ(header.classes(), 7u);
  EXPECT_EQ(header.init_seed(), 5u);
  EXPECT_EQ(header.normalisation().name(), "cifar10");
  EXPECT_FALSE(header.batch_statistics());
  EXPECT_THAT(server_.chunks(), ElementsAre(7u));
  EXPECT_THAT(out_, HasSubstr("registered small version 3"));
}

TEST_F(CliTest, ModelRegisterWantsBatchStatisticsByDefault) {
  ASSERT_EQ(Run({"model", "register", "small", "--kind", "resnet-small", "--json"}), kExitOk);
  EXPECT_TRUE(server_.last_header().batch_statistics());
  EXPECT_FALSE(server_.last_header().has_normalisation());
  EXPECT_EQ(Object()["version"], 3);
}

TEST_F(CliTest, ModelRegisterNamesAFileThatIsNotThere) {
  EXPECT_EQ(Run({"model", "register", "mine", "--kind", "torchscript", "--file", "/none.pt"}),
            kExitError);
  EXPECT_THAT(err_, HasSubstr("--file: cannot read '/none.pt'"));
}

TEST_F(CliTest, ModelListShowsModels) {
  ASSERT_EQ(Run({"model", "list"}), kExitOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("small"), HasSubstr("resnet-small"), HasSubstr("batch")));
  ASSERT_EQ(Run({"model", "list", "--json"}), kExitOk) << err_;
  EXPECT_EQ(Object()["models"][0]["version"], 3);
}

TEST_F(CliTest, BenchJsonHasWhatTheContractSays) {
  ASSERT_EQ(Run({"bench", "--seconds", "0.02", "--rounds", "2", "--json"}), kExitOk) << err_;
  const ordered_json result = Object();
  EXPECT_THAT(Keys(result),
              IsSupersetOf({"wire_limit_images_per_second", "fresh_images_per_second", "ratio",
                            "bare_forward_images_per_second", "guess_ratio"}));
  const double fresh = result["fresh_images_per_second"];
  EXPECT_GT(fresh, 0);
  EXPECT_DOUBLE_EQ(result["ratio"], fresh / result["wire_limit_images_per_second"].get<double>());
  EXPECT_EQ(result["bare_forward_images_per_second"], 1000);
  // Two of the fake's three rows are not labelled ones of its batch of 1.
  EXPECT_DOUBLE_EQ(result["guess_ratio"], fresh * 2 / 3 / 1000);
  EXPECT_EQ(server_.calls("MeasureForward"), 2);
  // In turn: ready-made, fresh, ready-made, fresh; rounds far apart.
  std::vector<bool> repeats;
  for (const v1::OpenStream& open : server_.streams()) repeats.push_back(open.repeat());
  EXPECT_THAT(repeats, ElementsAre(true, false, true, false));
  EXPECT_GT(server_.streams()[2].from_step(), 1'000'000u);
}

TEST_F(CliTest, BenchOfARecipeThatDoesNotGuessMeasuresNoModel) {
  v1::OpenFeedResponse mixup = server_.feed();
  mixup.mutable_spec()->set_batch(mixup.rows());
  server_.SetFeed(mixup);
  ASSERT_EQ(Run({"bench", "--seconds", "0.02", "--rounds", "1"}), kExitOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("of the wire limit"), Not(HasSubstr("forward"))));
  EXPECT_EQ(server_.calls("MeasureForward"), 0);
}

TEST_F(CliTest, BenchClosesTheFeedOfARunThatItBegan) {
  ASSERT_EQ(Run({"bench", "--seconds", "0.01", "--rounds", "1"}), kExitOk) << err_;
  EXPECT_EQ(server_.calls("CloseFeed"), 1);
  ASSERT_EQ(Run({"bench", "--seconds", "0.01", "--rounds", "1", "--run", "theirs"}), kExitOk);
  EXPECT_EQ(server_.calls("CloseFeed"), 1);
}

TEST_F(CliTest, BenchRefusesFlagsOfAnOwnServerWithAGivenOne) {
  const std::vector<std::string> flags[] = {{"--data", "generated"},   {"--state-dir", "/s"},
                                            {"--threads", "2"},        {"--guess-threads", "2"},
                                            {"--device", "cpu"},       {"--guess-kind", "wrn-28-2"},
                                            {"--server-program", "/p"}};
  for (const std::vector<std::string>& flag : flags) {
    EXPECT_EQ(Run({"bench", flag[0], flag[1]}), kExitUsage);
    EXPECT_THAT(err_,
                AllOf(HasSubstr(flag[0]), HasSubstr("--server"), HasSubstr(server_.address())));
  }
  setenv("MIXFEED_SERVER", server_.address().c_str(), 1);
  EXPECT_EQ(RunAlone({"bench", "--threads", "2"}), kExitUsage);
  unsetenv("MIXFEED_SERVER");
  EXPECT_THAT(err_, AllOf(HasSubstr("--threads"), HasSubstr("MIXFEED_SERVER")));
  EXPECT_EQ(server_.calls("OpenFeed"), 0);
}

TEST_F(CliTest, BenchStartsAndStopsAServerOfItsOwn) {
  const TempDir dir;
  setenv("XDG_CACHE_HOME", "/cache", 1);
  const std::string program = dir.File("server");
  std::ofstream(program) << "#!/bin/sh\necho \"$@\" >" << dir.File("args")
                         << "\necho mixfeed-server listening on " << server_.address()
                         << "\nread line\n";
  chmod(program.c_str(), S_IRWXU);
  ASSERT_EQ(RunAlone({"bench",    "--server-program", program, "--state-dir",
                      dir.path(), "--data",           "a=/b",  "--guess-kind",
                      "wrn-28-2", "--threads",        "3",     "--guess-threads",
                      "4",        "--device",         "cpu",   "--seconds",
                      "0.01",     "--rounds",         "1",     "--json"}),
            kExitOk)
      << err_;
  std::ostringstream args;
  args << std::ifstream(dir.File("args")).rdbuf();
  EXPECT_EQ(args.str(),
            "--listen 127.0.0.1:0 --data a=/b --device cpu --threads 3 --guess-threads 4 "
            "--model bench=wrn-28-2 --state-dir " +
                dir.path() + " --cache-dir /cache/mixfeed\n");
  EXPECT_EQ(server_.calls("OpenFeed"), 1);
  unsetenv("XDG_CACHE_HOME");
}

TEST_F(CliTest, BenchWithoutAServerProgramSaysWhatToGive) {
  EXPECT_EQ(RunAlone({"bench", "--server-program", "/none"}), kExitError);
  EXPECT_THAT(err_, AllOf(HasSubstr("/none"), HasSubstr("--server ADDRESS")));
}

}  // namespace
}  // namespace mixfeed
