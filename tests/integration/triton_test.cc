// A feed whose guesses a real Triton server makes, which is killed again and again meanwhile.
#include <gmock/gmock.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/augment/guess/archives.h"
#include "tests/integration/feed_fixture.h"
#include "tests/testing/free_port.h"
#include "tests/testing/sanitizers.h"

namespace mixfeed::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kClasses = 10;
constexpr int kKills = Rounds(24);

std::string Json(const std::vector<float>& values) {
  return absl::StrCat("[", absl::StrJoin(values, ", "), "]");
}

class TritonTest : public FeedTest {
 protected:
  void SetUp() override {
    const char* const site = std::getenv("MIXFEED_TRITON");  // NOLINT(concurrency-mt-unsafe)
    if (site == nullptr) {
      GTEST_SKIP() << "MIXFEED_TRITON does not name the folder of the nvidia-pytriton package";
    }
    site_ = site;
    WriteModel("net", network_);
  }

  // Into Triton's repository; it takes at most 64 rows at once.
  void WriteModel(const std::string& name, const LinearNetwork& network) const {
    const std::filesystem::path model = std::filesystem::path(folder()) / "models" / name;
    std::filesystem::create_directories(model / "1");
    std::filesystem::copy(MIXFEED_TRITON_MODEL, model / "1" / "model.py");
    std::ofstream(model / "1" / "network.json")
        << "{\"gamma\": " << Json(network.norm_weight) << ", \"beta\": " << Json(network.norm_bias)
        << ", \"mean\": " << Json(network.running_mean)
        << ", \"var\": " << Json(network.running_var) << ", \"weight\": " << Json(network.weight)
        << ", \"bias\": " << Json(network.bias) << "}";
    std::ofstream(model / "config.pbtxt")
        << "backend: \"python\" max_batch_size: 64\n"
        << "input [{ name: \"views\" data_type: TYPE_FP32 dims: [3, 32, 32] }]\n"
        << "output [{ name: \"logits\" data_type: TYPE_FP32 dims: [" << network.classes << "] }]\n"
        << "instance_group [{ kind: KIND_CPU }]\n";
  }

  std::string folder() const { return dir().File("triton"); }
  std::string address(const std::string& model = "net") const {
    return absl::StrCat("127.0.0.1:", port_, "/", model);
  }
  void TearDown() override {
    if (triton_ != nullptr) KillTriton();
    for (const auto& file : std::filesystem::directory_iterator("/dev/shm")) {
      if (absl::StartsWith(file.path().filename().string(), absl::StrCat("mixfeed-", port_, "-"))) {
        std::filesystem::remove(file.path());
      }
    }
  }
  void KillTriton() {
    triton_->End(SIGKILL);
    kill(-group_, SIGKILL);
    triton_.reset();
  }
  void StartTriton() {
    triton_ = std::make_unique<ChildProcess>(
        MIXFEED_TRITON_SCRIPT, std::vector<std::string>{site_, absl::StrCat(port_), folder()});
    group_ = std::stoi(triton_->ReadLine());
  }

  static v1::FeedSpec GuessedBy(const std::string& model, uint32_t batch) {
    v1::FeedSpec spec = Spec("mixmatch", batch);
    v1::Guess* const guess = spec.mutable_recipe()->mutable_guess();
    guess->set_model(model);
    guess->set_policy(v1::Guess::NEWEST);
    guess->set_batch_statistics(false);
    return spec;
  }
  static absl::Status Register(FeedClient& client, const std::string& name,
                               const std::string& address) {
    v1::RegisterModelHeader header;
    header.set_name(name);
    header.set_kind("kserve");
    header.set_address(address);
    return client.RegisterModel(header, "").status();
  }
  // Once Triton is up. Two models that it starts at once crash it now and then, with a
  // lock_exception of their shared memory: then it is started again.
  void MustRegister(FeedClient& client, const std::string& name, const std::string& address) {
    absl::Status status;
    EXPECT_TRUE(Eventually([&] {
      if (!triton_->IsRunning()) {
        KillTriton();
        StartTriton();
      }
      status = Register(client, name, address);
      return !absl::IsUnavailable(status);
    }));
    ASSERT_TRUE(status.ok()) << status;
  }

  const LinearNetwork network_ = MakeLinearNetwork(kClasses);
  const int port_ = FreePort();
  std::string site_;
  std::unique_ptr<ChildProcess> triton_;
  pid_t group_ = 0;
};

TEST_F(TritonTest, GuessesAreThoseOfTheSameNetworkHere) {
  StartTriton();
  const auto server = StartServer("a");
  const auto client = ConnectTo(*server);
  MustRegister(*client, "far", address());
  v1::RegisterModelHeader header;
  header.set_kind("torchscript");
  for (const unsigned seed : {1u, 2u}) {
    header.set_name(absl::StrCat("here-", seed));
    ASSERT_TRUE(
        client->RegisterModel(header, LinearArchive(MakeLinearNetwork(kClasses, 3, seed))).ok());
  }
  // More rows than Triton takes at once.
  const auto far = Open(*client, GuessedBy("far", 100));
  const auto here = Open(*client, GuessedBy("here-1", 100));
  const auto other = Open(*client, GuessedBy("here-2", 100));
  double other_difference = 0;
  for (uint64_t step = 0; step < 3; ++step) {
    const auto remote = far->GetBatch(step, {});
    const auto local = here->GetBatch(step, {});
    const auto unlike = other->GetBatch(step, {});
    ASSERT_TRUE(remote.ok() && local.ok() && unlike.ok()) << remote.status() << local.status();
    EXPECT_EQ(remote->header().guess().environment(),
              absl::StrCat("kserve://", address(), " version 1 platform python"));
    ASSERT_EQ(remote->targets().size(), local->targets().size());
    for (size_t i = 0; i < local->targets().size(); ++i) {
      EXPECT_NEAR(remote->targets()[i], local->targets()[i], 1e-5) << "step " << step << ", " << i;
      other_difference += std::abs(remote->targets()[i] - unlike->targets()[i]);
    }
  }
  EXPECT_GT(other_difference, 1);
}

TEST_F(TritonTest, ModelsThatDoNotFitAreRefusedWithTheReason) {
  WriteModel("small", MakeLinearNetwork(3));
  StartTriton();
  const auto server = StartServer("a");
  const auto client = ConnectTo(*server);
  MustRegister(*client, "far", address());
  const absl::Status small = Register(*client, "small", address("small"));
  EXPECT_TRUE(absl::IsFailedPrecondition(small)) << small;
  EXPECT_THAT(std::string(small.message()),
              AllOf(HasSubstr("logits FP32 [-1, 3]"), HasSubstr("one output FP32 [-1, 10]")));
  for (const char* const missing : {"nothing", "net/2"}) {
    const absl::Status status = Register(*client, "x", address(missing));
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(address(missing)));
  }
}

TEST_F(TritonTest, AKilledTritonLosesNoBatchAndChangesNone) {
  std::mt19937 random(5);
  StartTriton();
  auto server = StartServer("a", {"--model", "far=kserve://" + address()});
  auto client = ConnectTo(*server);
  const auto feed = Open(*client, GuessedBy("far", 32));
  const auto stream = feed->Stream({});
  ASSERT_TRUE(stream.ok()) << stream.status();
  Digests digests;
  const auto take = [&](int count) {
    for (const auto& [step, digest] : Take(**stream, count)) {
      EXPECT_TRUE(digests.emplace(step, digest).second) << step;
    }
  };
  for (int kill = 0; kill < kKills; ++kill) {
    take(1 + static_cast<int>(random() % 12));
    for (auto calls = random() % 20; calls > 0; --calls) {
      EXPECT_TRUE(client->ListModels().ok());  // takes some time
    }
    KillTriton();
    StartTriton();
  }
  take(20);
  const auto steps = static_cast<uint64_t>(digests.size());
  EXPECT_EQ(digests.rbegin()->first + 1, steps);  // each step once
  EXPECT_EQ(GetEach(*feed, steps), digests);

  // What was guessed needs Triton no more, and what was not says what it waits for.
  KillTriton();
  server->End(SIGKILL);
  server = StartServer("a", {"--model", "far=kserve://" + address(), "--weights-wait-ms", "500"});
  client = ConnectTo(*server);
  const auto again = Open(*client, GuessedBy("far", 32));
  EXPECT_EQ(GetEach(*again, steps), digests);
  const absl::Status away = again->GetBatch(steps + 1000, {}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(away)) << away;
  EXPECT_THAT(std::string(away.message()), HasSubstr("does not answer at kserve://" + address()));
}

}  // namespace
}  // namespace mixfeed::testing
