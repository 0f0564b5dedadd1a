#include "augment/guess/trial_protocol.h"

#include <gtest/gtest.h>

namespace mixfeed {
namespace {

ModelSource MakeSource() {
  ModelSource source;
  source.info.name = "teacher";
  source.info.version = 3;
  source.info.update = 1'000'000'000'000;
  source.info.kind = kTorchScriptKind;
  source.info.input = {.channels = 1, .height = 28, .width = 30};
  source.info.classes = 7;
  source.info.normalisation.mean = {0.1, 0.2, 0.3, 0.4};
  source.info.normalisation.std = {1, 2, 3, 1.0 / 3};
  source.info.environment = "here";
  source.archive = std::string("PK\0\n\xff", 5);
  source.init_seed = ~uint64_t{0};
  source.batch_statistics = false;
  return source;
}

TEST(TrialProtocolTest, AModelSourceArrivesWhole) {
  const ModelSource sent = MakeSource();
  const absl::StatusOr<ModelSource> got = DecodeModelSource(EncodeModelSource(sent));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->info.name, sent.info.name);
  EXPECT_EQ(got->info.version, sent.info.version);
  EXPECT_EQ(got->info.update, sent.info.update);
  EXPECT_EQ(got->info.kind, sent.info.kind);
  EXPECT_EQ(got->info.input, sent.info.input);
  EXPECT_EQ(got->info.classes, sent.info.classes);
  EXPECT_EQ(got->info.normalisation, sent.info.normalisation);
  EXPECT_EQ(got->info.environment, sent.info.environment);
  EXPECT_EQ(got->archive, sent.archive);
  EXPECT_EQ(got->init_seed, sent.init_seed);
  EXPECT_EQ(got->batch_statistics, sent.batch_statistics);
}

TEST(TrialProtocolTest, AFindingArrivesWhole) {
  for (const absl::Status& status : {absl::OkStatus(), absl::InvalidArgumentError("not\nthat")}) {
    const absl::StatusOr<TrialFinding> got = DecodeFinding(EncodeFinding({status}));
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(got->status, status);
  }
}

TEST(TrialProtocolTest, WhatIsCutShortOrTooLongIsRefused) {
  const std::string source = EncodeModelSource(MakeSource());
  for (size_t size = 0; size < source.size(); ++size) {
    EXPECT_EQ(DecodeModelSource(source.substr(0, size)).status().code(),
              absl::StatusCode::kDataLoss);
  }
  EXPECT_EQ(DecodeModelSource(source + "x").status().code(), absl::StatusCode::kDataLoss);
  const std::string finding = EncodeFinding({absl::InternalError("no")});
  for (size_t size = 0; size < finding.size(); ++size) {
    EXPECT_EQ(DecodeFinding(finding.substr(0, size)).status().code(), absl::StatusCode::kDataLoss);
  }
  EXPECT_EQ(DecodeFinding(finding + "x").status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace mixfeed
