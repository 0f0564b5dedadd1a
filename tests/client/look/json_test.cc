#include "client/look/json.h"

#include <gtest/gtest.h>

#include "mixfeed/v1/feed.pb.h"
#include "mixfeed/v1/inspect.pb.h"

namespace mixfeed {
namespace {

TEST(ToJsonTest, APlanRowIsWhatTheContractSays) {
  v1::PlanRow row;
  row.set_sample(4294967295);
  row.set_pool(v1::UNLABELLED);
  row.set_crop_y(8);
  row.set_flip(true);
  row.set_lambda(0.75f);
  EXPECT_EQ(ToJson(row).dump(),
            R"({"sample":4294967295,"pool":"unlabelled","label":null,"view":0,"crop_y":8,)"
            R"("crop_x":0,"flip":true,"partner":0,"lambda":0.75,"box":null,"more_partner":[],)"
            R"("more_weight":[],"hole":null,"map":[],"contrast":null,"brightness":null})");
  row.set_label(0);
  EXPECT_EQ(ToJson(row)["label"], 0);
}

TEST(ToJsonTest, NumbersOf64BitsStayNumbers) {
  v1::GetServerInfoResponse info;
  info.set_batches_made(18446744073709551615u);
  EXPECT_EQ(ToJson(info)["batches_made"].dump(), "18446744073709551615");
}

TEST(ToJsonTest, RepeatedFieldsAreArraysAlsoWhenEmpty) {
  v1::GetSplitResponse split;
  split.add_labelled(3);
  split.add_labelled(1);
  EXPECT_EQ(ToJson(split).dump(), R"({"labelled":[3,1],"unlabelled":[],"validation":[]})");
}

TEST(ToJsonTest, MessagesNestAndAreNullWhenNotSet) {
  v1::BatchHeader header;
  EXPECT_EQ(ToJson(header)["guess"], nullptr);
  header.mutable_guess()->set_model("small");
  header.add_pool(v1::TEST);
  EXPECT_EQ(ToJson(header)["guess"]["model"], "small");
  EXPECT_EQ(ToJson(header)["pool"][0], "test");
}

TEST(ToJsonTest, ASpecIsInProtobufsForm) {
  v1::OpenFeedResponse feed;
  feed.mutable_spec()->set_seed(7);
  feed.mutable_spec()->mutable_split()->set_rule(v1::Split::MIXMATCH);
  feed.mutable_spec()->mutable_split()->set_unlabelled_includes_labelled(true);
  EXPECT_EQ(ToJson(feed)["spec"].dump(),
            R"({"split":{"rule":"MIXMATCH","unlabelled_includes_labelled":true},"seed":"7"})");
}

TEST(DumpTest, WhatIsNotUtf8IsReplaced) {
  Json object;
  object["file"] = "a\xff";
  EXPECT_EQ(Dump(object), "{\"file\":\"a\uFFFD\"}");
}

TEST(ToJsonTest, BytesAreLeftOut) {
  v1::RenderContactSheetResponse sheet;
  sheet.set_png("png");
  EXPECT_EQ(ToJson(sheet).dump(), R"({"width":0,"height":0})");
}

}  // namespace
}  // namespace mixfeed
