#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <latch>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/server/core/registry_kit.h"

namespace mixfeed::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using Kind = WeightsWish::Kind;

class PushTest : public ModelRegistryTest {
 protected:
  PushTest() { Reopen(); }

  void Reopen() {
    registry_ = OpenRegistry();
    registry_->SetChanged([this] { ++changes_; });
  }
  void Register() { ASSERT_TRUE(registry_->Register(Header("m"), "net").ok()); }
  absl::StatusOr<v1::Model> Push(uint64_t update, uint64_t replaces, int64_t value) {
    return registry_->Push(PushHeader(update, replaces, Weights(value)), Weights(value));
  }
  // The digest of the weights found, or the error.
  std::string Found(const WeightsWish& wish = {}) {
    const auto model = registry_->Find("m", wish);
    return model.ok() ? (*model)->info().weights : model.status().ToString();
  }
  // What a refused push must leave as it was.
  void ExpectOnlyRegistered() {
    EXPECT_EQ(Found(), DigestOf(Weights(0)));
    EXPECT_THAT(Files(), ElementsAre("v0-m.model"));
    EXPECT_EQ(registry_->List()[0].version(), 0u);
  }

  // The path of the file whose name begins so.
  std::string FileOf(const std::string& start) {
    for (const std::string& file : Files()) {
      if (file.starts_with(start)) return directory_.File("models/" + file);
    }
    return std::string();
  }

  std::unique_ptr<ModelRegistry> registry_;
  int changes_ = 0;
};

TEST_F(PushTest, MakesAVersionThatIsTheNewest) {
  Register();
  const auto model = Push(9, 0, 77);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->version(), 1u);
  EXPECT_EQ(model->update(), 9u);
  EXPECT_EQ(model->weights(), DigestOf(Weights(77)));
  EXPECT_EQ(model->initial_version(), 0u);
  ASSERT_EQ(model->versions_size(), 1);
  EXPECT_EQ(model->versions(0).version(), 1u);
  const v1::Model listed = registry_->List()[0];
  ASSERT_EQ(listed.versions_size(), 2);
  EXPECT_EQ(listed.versions(1).update(), 9u);
  EXPECT_EQ(listed.versions(1).bytes(), Weights(77).size());
  EXPECT_EQ(Found(), DigestOf(Weights(77)));
  EXPECT_EQ(Found({Kind::kUpdate, 0}), DigestOf(Weights(0)));
  EXPECT_EQ(Found({Kind::kVersion, 0}), DigestOf(Weights(0)));
  EXPECT_EQ(changes_, 2);  // the registration and the push
  const GuessModelInfo& info = (*registry_->Find("m"))->info();
  EXPECT_EQ(info.version, 1);
  EXPECT_EQ(info.update, 9);
}

TEST_F(PushTest, IsThereAfterARestart) {
  Register();
  ASSERT_TRUE(Push(9, 0, 77).ok());
  ASSERT_TRUE(Push(10, 1, 78).ok());
  Reopen();
  EXPECT_EQ(Found(), DigestOf(Weights(78)));
  EXPECT_EQ(Found({Kind::kUpdate, 9}), DigestOf(Weights(77)));  // from its file
  EXPECT_EQ(Push(11, 2, 79)->version(), 3u);
}

TEST_F(PushTest, TheSecondOfTwoTrainersIsToldWhichVersionWon) {
  Register();
  ASSERT_TRUE(Push(9, 0, 77).ok());
  const absl::Status status = Push(9, 0, 78).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("header.replaces is 0, but the newest version of model \"m\" is 1"));
  EXPECT_EQ(Found(), DigestOf(Weights(77)));
}

TEST_F(PushTest, AnUpdateMustRiseUnlessTheTrainerSaysThatItWentBack) {
  Register();  // of update 5
  for (const uint64_t update : {4u, 5u}) {
    const absl::Status status = Push(update, 0, 77).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), HasSubstr("are of update 5"));
  }
  ExpectOnlyRegistered();
  v1::PushWeightsHeader header = PushHeader(3, 0, Weights(77));
  header.set_rewind(true);
  ASSERT_TRUE(registry_->Push(header, Weights(77)).ok());
  EXPECT_EQ(Found({Kind::kUpdate, 3}), DigestOf(Weights(77)));
}

TEST_F(PushTest, OfSomeTensorsLeavesTheOthers) {
  Register();
  ASSERT_TRUE(Push(9, 0, 77).ok());
  const std::string none = *WriteSafetensors({});
  v1::PushWeightsHeader header = PushHeader(10, 1, none);
  EXPECT_FALSE(registry_->Push(header, none).ok());
  header.set_partial(true);
  ASSERT_TRUE(registry_->Push(header, none).ok());
  EXPECT_EQ(Found(), DigestOf(Weights(77)));
  Reopen();
  EXPECT_EQ(Found({Kind::kUpdate, 10}), DigestOf(Weights(77)));
}

TEST_F(PushTest, WhatDoesNotFitChangesNothing) {
  Register();
  const std::string good = Weights(77);
  struct Bad {
    v1::PushWeightsHeader header;
    std::string bytes;
    const char* reason;
  };
  v1::PushWeightsHeader unknown = PushHeader(9, 0, good);
  unknown.set_model("n");
  v1::PushWeightsHeader digest = PushHeader(9, 0, good);
  digest.set_digest(DigestOf("other"));
  const Bad bad[] = {
      {PushHeader(9, 0, good), good.substr(1), "header.weights_bytes is "},
      {digest, good, "header.digest is "},
      {unknown, good, "no model \"n\" is registered"},
      {PushHeader(9, 0, "junk"), "junk", "safetensors"},
      {PushHeader(9, 0, *WriteSafetensors({})), *WriteSafetensors({}), "other tensors"},
      {PushHeader(uint64_t{1} << 63, 0, good), good, "header.update is 9223372036854775808"},
  };
  for (const Bad& c : bad) {
    const absl::Status status = registry_->Push(c.header, c.bytes).status();
    EXPECT_FALSE(status.ok()) << c.reason;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.reason));
    ExpectOnlyRegistered();
  }
  std::stop_source cancelled;
  cancelled.request_stop();
  EXPECT_EQ(registry_->Push(PushHeader(9, 0, good), good, cancelled.get_token()).status().code(),
            absl::StatusCode::kCancelled);
  ExpectOnlyRegistered();
  EXPECT_EQ(changes_, 2);  // the registration, and a look whether the unknown one has come
}

TEST_F(PushTest, OldVersionsAndTheirFilesAreDropped) {
  limits_.versions = 3;
  Reopen();
  Register();
  for (uint64_t i = 0; i < 5; ++i) ASSERT_TRUE(Push(10 + i, i, static_cast<int64_t>(i)).ok());
  EXPECT_EQ(Files().size(), 3u);
  EXPECT_EQ(Found({Kind::kUpdate, 13}), DigestOf(Weights(3)));
  EXPECT_THAT(Found({Kind::kUpdate, 12}), HasSubstr("no longer kept"));
  Reopen();
  EXPECT_EQ(Found({Kind::kUpdate, 14}), DigestOf(Weights(4)));
}

TEST_F(PushTest, ARegistrationBeginsAnewAndTheVersionsCountOn) {
  Register();
  ASSERT_TRUE(Push(9, 0, 77).ok());
  const auto model = registry_->Register(Header("m"), "other");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->version(), 2u);
  EXPECT_THAT(Files(), ElementsAre("v2-m.model"));
  EXPECT_EQ(Found(), DigestOf(Weights(0)));
  EXPECT_EQ(Push(6, 2, 1)->version(), 3u);
}

TEST_F(PushTest, ARegistrationInWhoseTrialAPushCameIsAborted) {
  Register();
  ModelRegistry::Parts parts = Parts();
  parts.try_model = [this](const ModelSource&, const std::stop_token&) {
    return Push(9, 0, 77).status();
  };
  registry_ = *ModelRegistry::Open(*ModelStore::Open(directory_.File("models")), parts);
  const absl::Status status = registry_->Register(Header("m"), "other").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("its newest version is 1, so this one can't be 1; register it again"));
  EXPECT_EQ(Found(), DigestOf(Weights(77)));
  Reopen();
  EXPECT_EQ(Found(), DigestOf(Weights(77)));
}

TEST_F(PushTest, AModelNamedAtTheStartKeepsWhatWasPushedToIt) {
  ASSERT_TRUE(registry_->RegisterOnce(Header("m"), "net").ok());
  ASSERT_TRUE(Push(9, 0, 77).ok());
  Reopen();
  EXPECT_EQ(registry_->RegisterOnce(Header("m"), "net")->version(), 1u);
  EXPECT_EQ(Found(), DigestOf(Weights(77)));
}

TEST_F(PushTest, DamagedWeightsAreSetAsideAndTheOnesBeforeGuess) {
  Register();
  ASSERT_TRUE(Push(9, 0, 77).ok());
  ASSERT_TRUE(Push(10, 1, 78).ok());
  const std::string newest = FileOf("v2-");
  std::ofstream(newest, std::ios::in | std::ios::out).seekp(9).put('#');
  Reopen();
  EXPECT_EQ(Found(), DigestOf(Weights(77)));
  EXPECT_TRUE(std::filesystem::exists(newest + ".damaged"));
  EXPECT_EQ(Push(10, 1, 79)->version(), 3u);  // guesses of the lost one say 2
}

TEST_F(PushTest, TheVersionOfDamagedWeightsIsNeverGivenAgain) {
  Register();
  ASSERT_TRUE(Push(9, 0, 77).ok());
  std::ofstream(FileOf("v1-"), std::ios::in | std::ios::out).seekp(9).put('#');
  for (int restarts = 0; restarts < 2; ++restarts) {
    Reopen();
    EXPECT_EQ(Found(), DigestOf(Weights(0)));
  }
  EXPECT_EQ(Push(9, 0, 78)->version(), 2u);
  Reopen();
  EXPECT_EQ(Found({Kind::kVersion, 2}), DigestOf(Weights(78)));
  EXPECT_THAT(Found({Kind::kVersion, 1}), HasSubstr("no longer kept"));
}

TEST_F(PushTest, OldWeightsThatAreDamagedOrGoneAreLostAndNoLongerListed) {
  Register();
  for (uint64_t update = 6; update < 9; ++update) {
    ASSERT_TRUE(Push(update, update - 6, static_cast<int64_t>(update)).ok());
  }
  Reopen();  // the newest alone is loaded
  const std::string damaged = FileOf("v1-");
  std::ofstream(damaged, std::ios::in | std::ios::out).seekp(9).put('#');
  std::filesystem::remove(FileOf("v2-"));
  for (const int64_t update : {6, 7}) {
    EXPECT_EQ(registry_->Find("m", {Kind::kUpdate, update}).status().code(),
              absl::StatusCode::kDataLoss);
    const absl::Status again = registry_->Find("m", {Kind::kUpdate, update}).status();
    EXPECT_EQ(again.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(again.message()), HasSubstr("no longer kept"));
  }
  EXPECT_TRUE(std::filesystem::exists(damaged + ".damaged"));
  EXPECT_EQ(registry_->List()[0].versions_size(), 2);  // the initial one and the newest
  EXPECT_EQ(Found(), DigestOf(Weights(8)));
}

TEST_F(PushTest, LowerLimitsRemoveFilesWhenTheServerStarts) {
  Register();
  for (uint64_t update = 6; update < 10; ++update) {
    ASSERT_TRUE(Push(update, update - 6, static_cast<int64_t>(update)).ok());
  }
  limits_.versions = 3;
  Reopen();
  EXPECT_THAT(Files(), ElementsAre("v0-m.model", StartsWith("v3-"), StartsWith("v4-")));
}

// Its pushes wait until they may be written; calls `reading` before weights are read.
class GatedStore : public ModelStore {
 public:
  explicit GatedStore(std::unique_ptr<ModelStore> store) : store_(std::move(store)) {}
  absl::Status PutWeights(const StoredWeights& weights, const std::string& pushed,
                          const std::string& ema) override {
    writing.count_down();
    written.wait();
    return store_->PutWeights(weights, pushed, ema);
  }
  absl::Status Put(const StoredModel& model) override { return store_->Put(model); }
  absl::StatusOr<std::string> ReadWeights(const StoredWeights& weights, bool ema) override {
    std::exchange(reading, [] {})();
    return store_->ReadWeights(weights, ema);
  }
  void RemoveWeights(const StoredWeights& weights) override { store_->RemoveWeights(weights); }
  absl::StatusOr<std::vector<StoredModel>> ReadAll(
      const std::map<std::string, uint64_t>& known) override {
    return store_->ReadAll(known);
  }

  std::latch writing{1}, written{1};
  std::function<void()> reading = [] {};

 private:
  const std::unique_ptr<ModelStore> store_;
};

TEST_F(PushTest, WhoGuessesWaitsForNoPush) {
  Register();
  auto store = std::make_unique<GatedStore>(*ModelStore::Open(directory_.File("models")));
  GatedStore* const gate = store.get();
  registry_ = *ModelRegistry::Open(std::move(store), Parts());
  std::thread push([this] { EXPECT_TRUE(Push(9, 0, 77).ok()); });
  gate->writing.wait();
  EXPECT_EQ(Found(), DigestOf(Weights(0)));
  EXPECT_EQ(registry_->List()[0].version(), 0u);
  gate->written.count_down();
  push.join();
  EXPECT_EQ(Found(), DigestOf(Weights(77)));
}

TEST_F(PushTest, WeightsThatAPushDropsWhileTheyAreReadAreNoLongerKeptRatherThanDamaged) {
  limits_.versions = 3;
  Reopen();
  Register();
  ASSERT_TRUE(Push(6, 0, 76).ok());
  ASSERT_TRUE(Push(7, 1, 77).ok());
  auto store = std::make_unique<GatedStore>(*ModelStore::Open(directory_.File("models")));
  GatedStore* const gate = store.get();
  registry_ = *ModelRegistry::Open(std::move(store), Parts());
  gate->written.count_down();
  gate->reading = [this] { EXPECT_TRUE(Push(8, 2, 78).ok()); };
  const absl::Status status = registry_->Find("m", {Kind::kUpdate, 6}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("no longer kept"), Not(HasSubstr("damaged"))));
}

TEST_F(PushTest, TheDeclaredIntervalIsRemembered) {
  EXPECT_EQ(registry_->PushEvery("m"), 0u);
  Register();
  v1::PushWeightsHeader header = PushHeader(10, 0, Weights(1));
  header.set_push_every(5);
  EXPECT_EQ(registry_->Push(header, Weights(1))->push_every(), 5u);
  EXPECT_EQ(registry_->PushEvery("m"), 5u);
  EXPECT_EQ(Push(15, 1, 2)->push_every(), 5u);  // said once
}

// --- moving averages ---

class EmaTest : public PushTest {
 protected:
  // Of update 5; whole numbers show what was averaged how often.
  void RegisterEma(double decay) {
    v1::RegisterModelHeader header = Header("m");
    header.set_ema_decay(decay);
    ASSERT_TRUE(registry_->Register(header, "net").ok());
  }
  std::string Average(const WeightsWish& wish) { return Found({wish.kind, wish.number, true}); }
};

TEST_F(EmaTest, DecaysOnceForEveryUpdate) {
  RegisterEma(0.5);
  EXPECT_EQ(Average({}), DigestOf(Weights(0)));  // of the registered weights alone
  ASSERT_TRUE(Push(6, 0, 800).ok());             // 1/2 * 0 + 1/2 * 800
  EXPECT_EQ(Average({}), DigestOf(Weights(400)));
  ASSERT_TRUE(Push(8, 1, 1600).ok());  // two updates: 1/4 * 400 + 3/4 * 1600
  EXPECT_EQ(Average({}), DigestOf(Weights(1300)));
  EXPECT_EQ(Average({Kind::kUpdate, 6}), DigestOf(Weights(400)));
  EXPECT_EQ(Average({Kind::kVersion, 2}), DigestOf(Weights(1300)));
  EXPECT_EQ(Found(), DigestOf(Weights(1600)));  // the pushed ones are there as well
  const v1::Model model = registry_->List()[0];
  EXPECT_EQ(model.ema_decay(), 0.5);
  EXPECT_EQ(model.versions(0).ema(), DigestOf(Weights(0)));
  EXPECT_EQ(model.versions(2).ema(), DigestOf(Weights(1300)));
  EXPECT_EQ(model.versions(2).weights(), DigestOf(Weights(1600)));
}

TEST_F(EmaTest, GoesOnAfterARestart) {
  RegisterEma(0.5);
  ASSERT_TRUE(Push(6, 0, 800).ok());
  ASSERT_TRUE(Push(7, 1, 0).ok());
  Reopen();
  EXPECT_EQ(Average({}), DigestOf(Weights(200)));
  EXPECT_EQ(Average({Kind::kUpdate, 6}), DigestOf(Weights(400)));  // from its file
  ASSERT_TRUE(Push(8, 2, 0).ok());
  EXPECT_EQ(Average({}), DigestOf(Weights(100)));
}

TEST_F(EmaTest, OfATrainerThatWentBackGoesOnFromWhereItIs) {
  RegisterEma(0.5);
  ASSERT_TRUE(Push(6, 0, 800).ok());
  ASSERT_TRUE(Push(7, 1, 8000).ok());
  v1::PushWeightsHeader header = PushHeader(7, 2, Weights(0));
  header.set_rewind(true);
  ASSERT_TRUE(registry_->Push(header, Weights(0)).ok());
  EXPECT_EQ(Average({}), DigestOf(Weights(200)));  // 400 was the average at update 6
}

TEST_F(EmaTest, FilesOfDroppedVersionsGo) {
  limits_.versions = 2;
  Reopen();
  RegisterEma(0.5);
  ASSERT_TRUE(Push(6, 0, 800).ok());
  ASSERT_TRUE(Push(7, 1, 800).ok());
  EXPECT_EQ(Files().size(), 3u);  // the registration, the newest weights and their average
  EXPECT_NE(FileOf("v2-u7-ema-" + DigestOf(Weights(600)) + "-m.safetensors"), "");
  EXPECT_NE(FileOf("v2-u7-" + DigestOf(Weights(800)) + "-m.safetensors"), "");
}

TEST_F(EmaTest, AVersionWhoseAverageIsDamagedIsGivenUp) {
  RegisterEma(0.5);
  ASSERT_TRUE(Push(6, 0, 800).ok());
  ASSERT_TRUE(Push(7, 1, 800).ok());
  std::ofstream(FileOf("v2-u7-ema-"), std::ios::in | std::ios::out).seekp(9).put('#');
  Reopen();
  EXPECT_EQ(Average({}), DigestOf(Weights(400)));
  EXPECT_EQ(Push(7, 1, 800)->version(), 3u);
}

TEST_F(EmaTest, ADamagedFileOfTheAverageStopsNoPush) {
  RegisterEma(0.5);
  ASSERT_TRUE(Push(6, 0, 800).ok());
  std::ofstream(FileOf("v1-u6-ema-"), std::ios::in | std::ios::out).seekp(9).put('#');
  ASSERT_TRUE(Push(7, 1, 800).ok());
  EXPECT_EQ(Average({}), DigestOf(Weights(600)));
}

TEST_F(EmaTest, AVersionWithoutItsAverageIsNotThere) {
  RegisterEma(0.5);
  ASSERT_TRUE(Push(6, 0, 800).ok());
  std::filesystem::remove(FileOf("v1-u6-ema-"));
  Reopen();
  EXPECT_EQ(Found(), DigestOf(Weights(0)));
  EXPECT_EQ(Push(6, 0, 800)->version(), 2u);  // guesses of the lost one say 1
}

TEST_F(EmaTest, IsRefusedWhereNoneIsKept) {
  Register();
  EXPECT_THAT(Average({}), HasSubstr("no average is kept of model \"m\"; register it with"));
  for (const double decay : {-0.1, 1.0, std::nan("")}) {
    v1::RegisterModelHeader header = Header("n");
    header.set_ema_decay(decay);
    EXPECT_THAT(std::string(registry_->Register(header, "net").status().message()),
                HasSubstr("header.ema_decay is "));
  }
}

}  // namespace
}  // namespace mixfeed::testing
