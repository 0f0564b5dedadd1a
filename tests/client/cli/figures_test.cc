// The commands that draw figures by themselves: lambda, sharpen, vicinity. They need no server.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "client/cli/cli.h"
#include "tests/testing/file_bytes.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using nlohmann::ordered_json;
using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using testing::TempDir;

constexpr char kPngStart[] = "\x89PNG\r\n\x1a\n";
const std::vector<std::string> kCommands = {"lambda", "sharpen", "vicinity"};

class FiguresTest : public ::testing::Test {
 protected:
  int Run(const std::vector<std::string>& args, const CliOptions& options = {}) {
    std::ostringstream out, err;
    const int code = RunCli(args, out, err, options);
    out_ = out.str();
    err_ = err.str();
    return code;
  }

  // What the command prints with --json, in one line.
  ordered_json Object(std::vector<std::string> args) {
    args.emplace_back("--json");
    EXPECT_EQ(Run(args), kExitOk) << err_;
    EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 1);
    return ordered_json::parse(out_);
  }

  std::string out_;
  std::string err_;
};

TEST_F(FiguresTest, HelpTeachesWithExamplesAndWhatToLookFor) {
  for (const std::string& command : kCommands) {
    ASSERT_EQ(Run({command, "--help"}), kExitOk);
    EXPECT_THAT(out_, AllOf(HasSubstr("Examples:\n  mixfeed " + command), HasSubstr("--json"),
                            HasSubstr("--out FILE"), HasSubstr("What to look for")));
    EXPECT_THAT(out_, ::testing::Not(HasSubstr("--server")));
  }
}

TEST_F(FiguresTest, APictureIsSavedAndMeasured) {
  const TempDir dir;
  for (const std::string& command : kCommands) {
    const std::string path = dir.File(command + ".png");
    const ordered_json object = Object({command, "--out", path});
    EXPECT_EQ(object["file"], path);
    EXPECT_EQ(object["width"], 2000);
    EXPECT_GT(object["height"], 400);
    EXPECT_THAT(testing::ReadBytes(path), StartsWith(kPngStart));
    ASSERT_EQ(Run({command, "--out", path}), kExitOk) << err_;
    EXPECT_THAT(out_, HasSubstr(path + ": 2000 x "));
  }
}

TEST_F(FiguresTest, TheSameFlagsGiveTheSameBytes) {
  const TempDir dir;
  for (const std::string& command : kCommands) {
    ASSERT_EQ(Run({command, "--out", dir.File("a.png")}), kExitOk) << err_;
    ASSERT_EQ(Run({command, "--out", dir.File("b.png")}), kExitOk) << err_;
    EXPECT_EQ(testing::ReadBytes(dir.File("a.png")), testing::ReadBytes(dir.File("b.png")));
  }
}

TEST_F(FiguresTest, WithoutAFileOnlyNumbersArePrinted) {
  for (const std::string& command : kCommands) {
    EXPECT_EQ(Object({command})["file"], nullptr);
    ASSERT_EQ(Run({command}), kExitOk) << err_;
    EXPECT_THAT(out_, ::testing::Not(HasSubstr("pixels")));
  }
}

TEST_F(FiguresTest, AFileThatCannotBeWrittenIsNamed) {
  for (const std::string& command : kCommands) {
    for (const std::string path : {"/nowhere/figure.png", "/dev/full"}) {
      EXPECT_EQ(Run({command, "--out", path}), kExitError);
      EXPECT_THAT(err_, HasSubstr("--out: cannot write '" + path + "'"));
    }
  }
}

TEST_F(FiguresTest, OutputThatCannotBeWrittenIsAnError) {
  for (const std::string& command : kCommands) {
    std::ofstream out("/dev/full");
    std::ostringstream err;
    EXPECT_EQ(RunCli({command}, out, err), kExitError);
    EXPECT_THAT(err.str(), HasSubstr("the standard output cannot be written"));
  }
}

struct Wrong {
  std::vector<std::string> args;
  std::string message;
};

TEST_F(FiguresTest, WrongFlagsAreWrongUsage) {
  const Wrong cases[] = {
      {{"lambda", "--alpha", "0.001"}, "--alpha: '0.001' is not a number from 0.01 to 101"},
      {{"lambda", "--beta", "nan"}, "--beta: 'nan' is not"},
      {{"lambda", "--law", "normal"}, "--law: normal not in {beta,uniform"},
      {{"lambda", "--low", "-1"}, "--low: '-1' is not a number from 0 to 1"},
      {{"lambda", "--high", "2"}, "--high: '2' is not"},
      {{"lambda", "--draws", "99"}, "--draws: '99' is not a whole number from 100 to 10000000"},
      {{"lambda", "--seed", "x"}, "--seed: 'x' is not a whole number from 0 up"},
      {{"lambda", "--out", "law.jpg"}, "--out: 'law.jpg' does not end in .png"},
      {{"sharpen", "--classes", "1"}, "--classes: '1' is not a whole number from 2 to 100"},
      {{"sharpen", "--classes", "101"}, "--classes"},
      {{"sharpen", "--temperature", "0.5,0.001"}, "--temperature: '0.001' is not a number from"},
      {{"sharpen", "--temperature", "101"}, "--temperature"},
      {{"sharpen", "--probabilities", "1"}, "--probabilities"},
      {{"sharpen", "--probabilities", "0.5,x"}, "--probabilities"},
      {{"sharpen", "--probabilities", "0.5,0.5", "--classes", "3"},
       "--classes excludes --probabilities"},
      {{"vicinity", "--shape", "stars"}, "--shape: stars not in {moons,circles,blobs}"},
      {{"vicinity", "--rules", "none,chaos"}, "--rules: chaos not in {none,mixup"},
      {{"vicinity", "--alpha", "0"}, "--alpha: '0' is not a number from 0.01 to 100"},
      {{"vicinity", "--alpha", "100.5"}, "--alpha"},
      {{"vicinity", "--distance-alpha", "-1"}, "--distance-alpha: '-1' is not"},
      {{"vicinity", "--noise", "1.5"}, "--noise: '1.5' is not a number from 0 to 1"},
      {{"vicinity", "--points", "1"}, "--points: '1' is not a whole number from 2 to 10000"},
      {{"vicinity", "--points", "10001"}, "--points"},
      {{"vicinity", "--point", "-1"}, "--point: '-1' is not a whole number from 0"},
      {{"vicinity", "--neighbours", "0"}, "--neighbours: '0' is not a whole number from 1"},
      {{"vicinity", "--labelled", "some"}, "--labelled: 'some' is not few, many, all or a whole"},
  };
  for (const Wrong& wrong : cases) {
    EXPECT_EQ(Run(wrong.args), kExitUsage) << wrong.message;
    EXPECT_THAT(err_, AllOf(StartsWith("mixfeed: "), HasSubstr(wrong.message)));
    EXPECT_EQ(std::count(err_.begin(), err_.end(), '\n'), 1) << err_;
    EXPECT_THAT(out_, IsEmpty());
  }
}

// Each alone is a good flag.
TEST_F(FiguresTest, FlagsThatDoNotGoTogetherAreErrors) {
  const Wrong cases[] = {
      {{"lambda", "--recipe", "dance"}, "--recipe is \"dance\"; known: "},
      {{"lambda", "--recipe", "supervised"}, "--recipe is \"supervised\"; allowed: a recipe that"},
      {{"lambda", "--low", "0.75", "--high", "0.5"}, "--low is 0.75; allowed: at most --high, 0.5"},
      {{"lambda", "--recipe", "mixup/multiway", "--law", "uniform"}, "lambda_law is uniform"},
      {{"sharpen", "--probabilities", "0.5,0.6"}, "--probabilities: probabilities of row 0 sum to"},
      {{"sharpen", "--probabilities", "1.5,-0.5"}, "class 1 is -0.5; allowed: finite values"},
      {{"vicinity", "--points", "30", "--labelled", "31"}, "--labelled is 31; allowed: 1..30"},
      {{"vicinity", "--labelled", "0"}, "--labelled is 0; allowed: 1..10000"},
      {{"vicinity", "--point", "300"}, "--point is 300; allowed: 0..299"},
      {{"vicinity", "--labelled", "few", "--neighbours", "20"},
       "--neighbours is 20; allowed: 1..19"},
  };
  for (const Wrong& wrong : cases) {
    EXPECT_EQ(Run(wrong.args), kExitError) << wrong.message;
    EXPECT_THAT(err_, AllOf(StartsWith("mixfeed: "), HasSubstr(wrong.message)));
    EXPECT_THAT(out_, IsEmpty());
  }
}

TEST_F(FiguresTest, LambdaJsonHasTheStatisticsOfBothPanels) {
  const ordered_json object = Object({"lambda", "--recipe", "mixmatch"});
  EXPECT_EQ(object["law"], "Beta(0.75, 0.75)");
  EXPECT_EQ(object["floor"], true);
  EXPECT_EQ(object["draws"], 200000);
  EXPECT_THAT(object["drawn"]["mean"].get<double>(), DoubleNear(0.5, 0.005));
  EXPECT_THAT(object["floored"]["mean"].get<double>(), DoubleNear(0.778, 0.005));
  EXPECT_THAT(object["drawn"]["quantiles"]["0.5"].get<double>(), DoubleNear(0.5, 0.01));
}

TEST_F(FiguresTest, LambdaNotesFlagsThatChangeNothing) {
  ASSERT_EQ(Run({"lambda", "--low", "0.2"}), kExitOk);
  EXPECT_THAT(err_, HasSubstr("note: --low has no effect, since lambda has no uniform law"));
  ASSERT_EQ(Run({"lambda", "--law", "uniform", "--alpha", "2", "--low", "0.2"}), kExitOk);
  EXPECT_THAT(err_,
              AllOf(HasSubstr("note: --alpha has no effect"), ::testing::Not(HasSubstr("--low"))));
  ASSERT_EQ(Run({"lambda", "--recipe", "cutmix/minmax", "--alpha", "2"}), kExitOk);
  EXPECT_THAT(err_, HasSubstr("note: --alpha has no effect"));
  ASSERT_EQ(Run({"lambda", "--recipe", "cutmix", "--alpha", "2"}), kExitOk);
  EXPECT_THAT(err_, IsEmpty());
}

TEST_F(FiguresTest, LambdaTakesALawFromItsFlags) {
  EXPECT_EQ(Object({"lambda", "--alpha", "2"})["law"], "Beta(2, 2)");
  EXPECT_EQ(Object({"lambda", "--alpha", "2", "--beta", "3"})["law"], "Beta(2, 3)");
  EXPECT_EQ(Object({"lambda", "--beta", "3"})["law"], "Beta(1, 3)");
  EXPECT_EQ(Object({"lambda", "--law", "size_biased_beta"})["law"], "Beta(2, 1)");
  EXPECT_EQ(Object({"lambda", "--recipe", "cutmix", "--alpha", "2"})["law"], "boxes of Beta(2, 2)");
  const ordered_json uniform = Object({"lambda", "--law", "uniform", "--low", "0.5"});
  EXPECT_EQ(uniform["law"], "uniform on 0.5..1");
  EXPECT_THAT(uniform["drawn"]["mean"].get<double>(), DoubleNear(0.75, 0.005));
}

TEST_F(FiguresTest, LambdaDrawsDependOnTheSeed) {
  EXPECT_EQ(Object({"lambda"})["drawn"], Object({"lambda", "--seed", "0"})["drawn"]);
  EXPECT_NE(Object({"lambda"})["drawn"], Object({"lambda", "--seed", "1"})["drawn"]);
}

TEST_F(FiguresTest, SharpenJsonHasEachTemperature) {
  const ordered_json object =
      Object({"sharpen", "--probabilities", "0.6,0.3,0.1", "--temperature", "1,0.5"});
  EXPECT_THAT(object["entropy_bits"].get<double>(), DoubleNear(1.2954618, 1e-6));
  ASSERT_EQ(object["sharpened"].size(), 2u);
  EXPECT_EQ(object["sharpened"][1]["temperature"], 0.5);
  EXPECT_THAT(object["sharpened"][1]["probabilities"][0].get<double>(),
              DoubleNear(36.0 / 46, 1e-6));
}

TEST_F(FiguresTest, SharpenPrintsATable) {
  ASSERT_EQ(Run({"sharpen", "--probabilities", "0.5,0.5", "--temperature", "0.25"}), kExitOk);
  EXPECT_EQ(out_,
            "class  guess   T = 0.25\n"
            "0      0.5000  0.5000\n"
            "1      0.5000  0.5000\n"
            "bits   1.0000  1.0000\n");
}

TEST_F(FiguresTest, SharpenHasAnExampleOfManyClasses) {
  EXPECT_EQ(Object({"sharpen", "--classes", "100"})["probabilities"].size(), 100u);
  EXPECT_EQ(Object({"sharpen"})["probabilities"].size(), 10u);
}

TEST_F(FiguresTest, VicinityJsonHasADivergenceForEachRule) {
  const ordered_json object = Object({"vicinity", "--points", "50"});
  EXPECT_EQ(object["shape"], "moons");
  EXPECT_EQ(object["points"], 50);
  EXPECT_EQ(object["labelled"], 50);
  EXPECT_EQ(object["noise"], 0.12);
  EXPECT_EQ(object["distance_scale"], 0);
  EXPECT_EQ(object["neighbours"], 10);
  EXPECT_EQ(object["point"], nullptr);
  ASSERT_EQ(object["rules"].size(), 5u);
  EXPECT_EQ(object["rules"][3]["rule"], "k-nearest");
  for (const ordered_json& rule : object["rules"]) {
    EXPECT_GT(rule["js_points_bits"], 0);
    EXPECT_LE(rule["js_points_bits"], rule["js_joint_bits"]);
    EXPECT_LT(rule["js_joint_bits"], 1);
    EXPECT_EQ(rule["goes"], nullptr);
  }
}

TEST_F(FiguresTest, VicinityOfOnePointHasNoDivergence) {
  const ordered_json object = Object({"vicinity", "--rules", "mixup", "--point", "7"});
  EXPECT_EQ(object["rules"][0]["js_joint_bits"], nullptr);
  EXPECT_EQ(object["point"], 7);
  EXPECT_EQ(object["rules"][0]["goes"], "towards any labelled point");
  ASSERT_EQ(Run({"vicinity", "--rules", "mixup", "--point", "7"}), kExitOk);
  EXPECT_THAT(
      out_, AllOf(HasSubstr("where point 7 goes"), HasSubstr("mixup  towards any labelled point")));
}

TEST_F(FiguresTest, VicinityDrawsARepeatedRuleOnce) {
  const ordered_json object = Object({"vicinity", "--rules", "mixup,none,mixup"});
  ASSERT_EQ(object["rules"].size(), 2u);
  EXPECT_EQ(object["rules"][0]["rule"], "mixup");
}

TEST_F(FiguresTest, VicinitySaysHowToReadItsNumbers) {
  ASSERT_EQ(Run({"vicinity", "--rules", "none"}), kExitOk);
  EXPECT_THAT(out_, HasSubstr("Mixing leaves the truth on purpose"));
}

TEST_F(FiguresTest, LambdaSaysOfWhichBatchesItsDrawsAre) {
  ASSERT_EQ(Run({"lambda", "--recipe", "cutmix"}), kExitOk);
  EXPECT_THAT(out_,
              HasSubstr("batches that are mixed (probability 0.5; in the others lambda is 1)"));
}

TEST_F(FiguresTest, LambdaOfManySourcesHasTheLargestOfTheWeights) {
  const ordered_json object = Object({"lambda", "--recipe", "mixup/multiway"});
  // Of three uniform spacings: (1 + 1/2 + 1/3) / 3.
  EXPECT_THAT(object["floored"]["mean"].get<double>(), DoubleNear(11.0 / 18, 0.003));
  EXPECT_EQ(object["drawn"]["mean_larger"], object["floored"]["mean"]);
  EXPECT_EQ(object["floored"]["mean_larger"], object["floored"]["mean"]);
  ASSERT_EQ(Run({"lambda", "--recipe", "mixup/multiway"}), kExitOk);
  EXPECT_THAT(out_, HasSubstr("largest of 3 weights:"));
}

TEST_F(FiguresTest, LabelledIsAWordOrANumberOutOfTenThousand) {
  const auto counts = [&](const std::string& labelled) {
    const ordered_json object = Object({"vicinity", "--rules", "mixup", "--labelled", labelled});
    return std::pair(object["points"].get<int>(), object["labelled"].get<int>());
  };
  EXPECT_EQ(counts("few"), std::pair(10000, 20));
  EXPECT_EQ(counts("many"), std::pair(10000, 1000));
  EXPECT_EQ(counts("all"), std::pair(10000, 10000));
  EXPECT_EQ(counts("77"), std::pair(10000, 77));
}

TEST_F(FiguresTest, VicinityFlagsReachTheFigure) {
  const std::vector<std::string> plain = {"vicinity", "--rules", "mixup"};
  const ordered_json usual = Object(plain)["rules"];
  for (const std::vector<std::string>& flags : {std::vector<std::string>{"--alpha", "0.1"},
                                                {"--distance-alpha", "0.2"},
                                                {"--noise", "0.3"},
                                                {"--seed", "4"},
                                                {"--shape", "circles"},
                                                {"--points", "200"}}) {
    std::vector<std::string> args = plain;
    args.insert(args.end(), flags.begin(), flags.end());
    EXPECT_NE(Object(args)["rules"], usual) << flags[0];
  }
  EXPECT_NE(Object({"vicinity", "--rules", "k-nearest", "--neighbours", "3"})["rules"],
            Object({"vicinity", "--rules", "k-nearest"})["rules"]);
}

TEST_F(FiguresTest, VicinityShowsItsProgressOnATerminal) {
  ASSERT_EQ(Run({"vicinity", "--rules", "none,mixup"}, {.terminal = true}), kExitOk);
  EXPECT_THAT(err_, AllOf(HasSubstr("[........................] none"), HasSubstr("] mixup")));
  ASSERT_EQ(Run({"vicinity", "--rules", "none,mixup"}), kExitOk);
  EXPECT_THAT(err_, IsEmpty());
}

}  // namespace
}  // namespace mixfeed
