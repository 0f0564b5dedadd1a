#ifndef MIXFEED_TESTS_SERVER_CORE_REGISTRY_KIT_H_
#define MIXFEED_TESTS_SERVER_CORE_REGISTRY_KIT_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/core/model_registry.h"
#include "tests/server/core/fake_model.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed::testing {

class ModelRegistryTest : public ::testing::Test {
 protected:
  std::unique_ptr<ModelRegistry> OpenRegistry() {
    auto registry = ModelRegistry::Open(*ModelStore::Open(directory_.File("models")), Parts());
    EXPECT_TRUE(registry.ok()) << registry.status();
    return *std::move(registry);
  }

  ModelRegistry::Parts Parts() {
    return {.try_model = [this](const ModelSource& source,
                                const std::stop_token&) { return Try(source); },
            .load = [this](const ModelSource& source) { return Load(source); },
            .limits = limits_};
  }

  absl::Status Try(const ModelSource& source) {
    done_.push_back(absl::StrCat("try ", source.archive));
    if (source.archive == "cancelled") cancelled_.request_stop();
    return source.archive == "hangs" ? absl::DeadlineExceededError("hangs") : absl::OkStatus();
  }
  absl::StatusOr<std::shared_ptr<GuessModel>> Load(const ModelSource& source) {
    done_.push_back(absl::StrCat("load ", source.archive));
    if (source.archive == broken_) return absl::InvalidArgumentError("broken");
    return std::make_shared<FakeModel>(source.info, Weights(0));
  }

  std::vector<std::string> Files() {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.File("models"))) {
      files.push_back(entry.path().filename().string());
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  const TempDir directory_;
  std::vector<std::string> done_;  // what was tried and loaded, in order
  std::string broken_ = "none";
  VersionLimits limits_;
  std::stop_source cancelled_;
};

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_SERVER_CORE_REGISTRY_KIT_H_
