#include "server/core/model_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/server/core/registry_kit.h"
#include "tests/testing/file_bytes.h"

namespace mixfeed::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(ModelRegistryTest, ModelIsTriedBeforeItIsLoaded) {
  const auto registry = OpenRegistry();
  const auto model = registry->Register(Header("m"), "net");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(done_, ElementsAre("try net", "load net"));
  EXPECT_EQ(model->version(), 0u);
  EXPECT_EQ(model->update(), 5u);
  EXPECT_EQ(model->archive_bytes(), 3u);
}

TEST_F(ModelRegistryTest, ModelThatFailsItsTrialIsNeverLoadedNorStored) {
  const auto registry = OpenRegistry();
  EXPECT_EQ(registry->Register(Header("m"), "hangs").status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(done_, ElementsAre("try hangs"));
  EXPECT_TRUE(Files().empty());
  EXPECT_TRUE(registry->List().empty());
}

TEST_F(ModelRegistryTest, CancelledRegistrationChangesNothing) {
  const auto registry = OpenRegistry();
  EXPECT_EQ(registry->Register(Header("m"), "cancelled", cancelled_.get_token()).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_TRUE(registry->List().empty());
  EXPECT_TRUE(Files().empty());
  done_.clear();
  EXPECT_FALSE(registry->Register(Header("m"), "net", cancelled_.get_token()).ok());
  EXPECT_TRUE(done_.empty());  // cancelled before: not even tried
}

TEST_F(ModelRegistryTest, ModelThatDoesNotLoadIsNotStored) {
  broken_ = "bad";
  EXPECT_FALSE(OpenRegistry()->Register(Header("m"), "bad").ok());
  EXPECT_TRUE(Files().empty());
}

TEST_F(ModelRegistryTest, SourceHasWhatTheHeaderSays) {
  const auto registry = OpenRegistry();
  v1::RegisterModelHeader header = Header("m", "resnet-small");
  header.set_init_seed(9);
  header.mutable_normalisation()->set_name("unit");
  ASSERT_TRUE(registry->Register(header, "").ok());
  const GuessModelInfo& info = (*registry->Find("m"))->info();
  EXPECT_EQ(info.name, "m");
  EXPECT_EQ(info.version, 0);
  EXPECT_EQ(info.update, 5);
  EXPECT_EQ(info.kind, "resnet-small");
  EXPECT_EQ(info.classes, 10);
  EXPECT_EQ(info.input, ImageShape());
  EXPECT_EQ(info.normalisation, *FindNormalisation("unit", 3));
}

TEST_F(ModelRegistryTest, NormalisationIsSignedUnlessSet) {
  const auto registry = OpenRegistry();
  ASSERT_TRUE(registry->Register(Header("m"), "net").ok());
  EXPECT_EQ((*registry->Find("m"))->info().normalisation, *FindNormalisation("signed", 3));
}

TEST_F(ModelRegistryTest, NewVersionTakesTheNamesPlaceAndOnlyItsFileStays) {
  const auto registry = OpenRegistry();
  ASSERT_TRUE(registry->Register(Header("m"), "one").ok());
  const std::shared_ptr<GuessModel> first = *registry->Find("m");
  ASSERT_TRUE(registry->Register(Header("m"), "two").ok());
  EXPECT_EQ((*registry->Find("m"))->info().version, 1);
  EXPECT_EQ(first->info().version, 0);  // whoever guesses with it goes on
  EXPECT_THAT(Files(), ElementsAre("v1-m.model"));
}

TEST_F(ModelRegistryTest, NamesThatLookLikeVersionsOrPathsAreKeptApart) {
  const auto registry = OpenRegistry();
  for (const char* name :
       {"a", "a-b", "1-a", "..", ".hidden", "x.model", "x.model.tmp-7", "x.model.damaged"}) {
    ASSERT_TRUE(registry->Register(Header(name), name).ok()) << name;
  }
  EXPECT_EQ(OpenRegistry()->List().size(), 8u);
}

TEST_F(ModelRegistryTest, StoredModelsAreLoadedAgainWithoutATrial) {
  {
    const auto registry = OpenRegistry();
    for (const char* archive : {"one", "two"}) {
      ASSERT_TRUE(registry->Register(Header("m"), archive).ok());
    }
  }
  done_.clear();
  const auto registry = OpenRegistry();
  EXPECT_THAT(done_, ElementsAre("load two"));
  ASSERT_EQ(registry->List().size(), 1u);
  EXPECT_EQ(registry->List()[0].version(), 1u);
  EXPECT_EQ(registry->Register(Header("m"), "three")->version(), 2u);
}

TEST_F(ModelRegistryTest, StoredModelThatNoLongerLoadsIsSkippedButItsVersionsCountOn) {
  ASSERT_TRUE(OpenRegistry()->Register(Header("m"), "net").ok());
  broken_ = "net";
  const auto registry = OpenRegistry();
  EXPECT_TRUE(registry->List().empty());
  EXPECT_EQ(registry->Find("m").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(registry->Register(Header("m"), "good")->version(), 1u);
}

TEST_F(ModelRegistryTest, DamagedAndForeignFilesAreSkipped) {
  ASSERT_TRUE(OpenRegistry()->Register(Header("m"), "net").ok());
  for (const char* name : {"v1-short.model", "v2-m.model", "vx-m.model", "readme", "v1-.model", "-",
                           ".model", "v1-m"}) {
    std::ofstream(directory_.File("models/") + name) << "\x7f\x01";
  }
  const auto registry = OpenRegistry();
  ASSERT_EQ(registry->List().size(), 1u);
  EXPECT_EQ(registry->List()[0].version(), 0u);
}

TEST_F(ModelRegistryTest, ADamagedModelIsSetAsideAndItsVersionsCountOn) {
  {
    const auto registry = OpenRegistry();
    ASSERT_TRUE(registry->Register(Header("m"), "net").ok());
    ASSERT_TRUE(registry->Push(PushHeader(9, 0, Weights(77)), Weights(77)).ok());
  }
  const std::string file = directory_.File("models/v0-m.model");
  const auto last = static_cast<std::streamoff>(std::filesystem::file_size(file)) - 1;
  std::ofstream(file, std::ios::in | std::ios::out).seekp(last).put('!');  // of the archive
  auto registry = OpenRegistry();
  EXPECT_THAT(registry->List(), IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(file + ".damaged"));
  registry = OpenRegistry();
  EXPECT_EQ(registry->Register(Header("m"), "net")->version(), 2u);
  registry = OpenRegistry();  // what was pushed to the lost one is gone
  EXPECT_EQ((*registry->Find("m"))->info().weights, DigestOf(Weights(0)));
}

TEST_F(ModelRegistryTest, AModelStoredWithoutADigestIsRead) {
  ASSERT_TRUE(OpenRegistry()->Register(Header("m"), "net").ok());
  const std::string file = directory_.File("models/v0-m.model");
  testing::WriteBytes(file, testing::ReadBytes(file).substr(32));
  const auto registry = OpenRegistry();
  ASSERT_EQ(registry->List().size(), 1u);
  EXPECT_EQ(done_.back(), "load net");
}

TEST_F(ModelRegistryTest, UnfinishedFilesAreRemoved) {
  ASSERT_TRUE(OpenRegistry()->Register(Header("m"), "net").ok());
  std::ofstream(directory_.File("models/v2-m.model.tmp-4711")) << "half";
  std::ofstream(directory_.File("models/v1-u9-ema-0123-m.safetensors")) << "without weights";
  OpenRegistry();
  EXPECT_THAT(Files(), ElementsAre("v0-m.model"));
}

TEST_F(ModelRegistryTest, RegisterOnceDoesNothingForTheSameHeaderAndArchive) {
  const auto registry = OpenRegistry();
  EXPECT_EQ(registry->RegisterOnce(Header("m"), "net")->version(), 0u);
  EXPECT_EQ(registry->RegisterOnce(Header("m"), "net")->version(), 0u);
  EXPECT_EQ(registry->RegisterOnce(Header("m"), "other")->version(), 1u);
  v1::RegisterModelHeader header = Header("m");
  header.set_update(6);
  EXPECT_EQ(registry->RegisterOnce(header, "other")->version(), 2u);
}

TEST_F(ModelRegistryTest, DigestFollowsHeaderAndArchive) {
  const auto registry = OpenRegistry();
  const std::string digest = registry->Register(Header("m"), "net")->digest();
  EXPECT_EQ(registry->Register(Header("m"), "net")->digest(), digest);
  EXPECT_NE(registry->Register(Header("m"), "nets")->digest(), digest);
  EXPECT_NE(registry->Register(Header("n"), "net")->digest(), digest);
}

TEST_F(ModelRegistryTest, NameIsNotNeededForTheOnlyModel) {
  const auto registry = OpenRegistry();
  EXPECT_THAT(
      std::string(registry->Find("").status().message()),
      HasSubstr("recipe.guess.model is \"\", and no model is registered; register one with"));
  ASSERT_TRUE(registry->Register(Header("a"), "net").ok());
  EXPECT_EQ((*registry->Find(""))->info().name, "a");
  ASSERT_TRUE(registry->Register(Header("b"), "net").ok());
  const absl::Status several = registry->Find("").status();
  EXPECT_EQ(several.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(several.message()), HasSubstr("one of a, b"));
  EXPECT_THAT(
      std::string(registry->Find("c").status().message()),
      HasSubstr(
          "recipe.guess.model is \"c\", which is not registered; allowed: a, b; or register"));
}

TEST_F(ModelRegistryTest, NamesAreBounded) {
  const auto registry = OpenRegistry();
  for (size_t i = 0; i < ModelRegistry::kMaxNames; ++i) {
    ASSERT_TRUE(registry->Register(Header(absl::StrCat("m", i)), "net").ok());
  }
  const absl::Status full = registry->Register(Header("more"), "net").status();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(full.message()), HasSubstr("header.name: 64 models"));
  EXPECT_EQ(registry->Register(Header("m0"), "net")->version(), 1u);
}

}  // namespace
}  // namespace mixfeed::testing
