#include "server/core/batch_convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace mixfeed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kColour = 3;

v1::PixelFormat Named(v1::PixelType type, const std::string& name) {
  v1::PixelFormat proto;
  proto.set_type(type);
  proto.mutable_normalisation()->set_name(name);
  return proto;
}

void ExpectRefused(const absl::Status& status, const std::string& message) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << message;
  EXPECT_THAT(std::string(status.message()), HasSubstr(message));
}

TEST(FormatFromProtoTest, DefaultIsSignedFloat32PlanesFirst) {
  const auto format = FormatFromProto(v1::PixelFormat(), kColour);
  ASSERT_TRUE(format.ok()) << format.status();
  EXPECT_EQ(format->type, PixelType::kFloat32);
  EXPECT_EQ(format->layout, PixelLayout::kNchw);
  EXPECT_EQ(format->normalisation, *FindNormalisation("signed", kColour));
}

TEST(FormatFromProtoTest, Uint8IsRawByDefault) {
  const auto format = FormatFromProto(Named(v1::UINT8, ""), kColour);
  ASSERT_TRUE(format.ok()) << format.status();
  EXPECT_EQ(format->normalisation, Normalisation());
  EXPECT_TRUE(FormatFromProto(Named(v1::UINT8, "raw"), kColour).ok());
  ExpectRefused(FormatFromProto(Named(v1::UINT8, "cifar10"), kColour).status(), "uint8");
}

TEST(FormatFromProtoTest, TypesAndLayoutsAreWhatTheirNamesSay) {
  v1::PixelFormat proto;
  proto.set_layout(v1::NHWC);
  const std::pair<v1::PixelType, PixelType> types[] = {{v1::UINT8, PixelType::kUint8},
                                                       {v1::FLOAT16, PixelType::kFloat16},
                                                       {v1::BFLOAT16, PixelType::kBfloat16},
                                                       {v1::FLOAT32, PixelType::kFloat32}};
  for (const auto& [wire, own] : types) {
    proto.set_type(wire);
    EXPECT_EQ(FormatFromProto(proto, kColour)->type, own);
    EXPECT_EQ(FormatFromProto(proto, kColour)->layout, PixelLayout::kNhwc);
  }
}

TEST(FormatFromProtoTest, OwnNumbersAreTaken) {
  v1::PixelFormat proto;
  for (const double mean : {0.1, 0.2, 0.3}) proto.mutable_normalisation()->add_mean(mean);
  for (const double std : {0.4, 0.5, 0.6}) proto.mutable_normalisation()->add_std(std);
  const auto format = FormatFromProto(proto, kColour);
  ASSERT_TRUE(format.ok()) << format.status();
  EXPECT_EQ(format->normalisation.mean[2], 0.3);
  EXPECT_EQ(format->normalisation.std[0], 0.4);
}

TEST(FormatFromProtoTest, ErrorsNameTheField) {
  v1::PixelFormat proto;
  proto.set_type(static_cast<v1::PixelType>(9));
  ExpectRefused(FormatFromProto(proto, kColour).status(),
                "format.type is 9; allowed: UINT8, FLOAT16, BFLOAT16, FLOAT32");
  proto = v1::PixelFormat();
  proto.set_layout(static_cast<v1::Layout>(3));
  ExpectRefused(FormatFromProto(proto, kColour).status(),
                "format.layout is 3; allowed: NCHW, NHWC");
  ExpectRefused(FormatFromProto(Named(v1::FLOAT32, "cifar11"), kColour).status(),
                "format.normalisation.name: normalisation \"cifar11\" is not known");
  ExpectRefused(FormatFromProto(Named(v1::FLOAT32, "cifar10"), 1).status(),
                "format.normalisation.name");
  proto = Named(v1::FLOAT32, "unit");
  proto.mutable_normalisation()->add_mean(0.5);
  ExpectRefused(FormatFromProto(proto, kColour).status(), "both a name and numbers");
  proto.mutable_normalisation()->clear_name();
  ExpectRefused(FormatFromProto(proto, kColour).status(), "format.normalisation.mean is 1 numbers");
  for (int c = 0; c < 2; ++c) proto.mutable_normalisation()->add_mean(0.5);
  ExpectRefused(FormatFromProto(proto, kColour).status(), "format.normalisation.std is 0 numbers");
  for (int c = 0; c < 3; ++c) proto.mutable_normalisation()->add_std(0);
  ExpectRefused(FormatFromProto(proto, kColour).status(), "std[0] is 0");
  proto.mutable_normalisation()->set_std(0, std::numeric_limits<double>::quiet_NaN());
  ExpectRefused(FormatFromProto(proto, kColour).status(), "std[0] is nan");
}

TEST(ShareFromProtoTest, NoWorldMeansAlone) {
  EXPECT_EQ(*ShareFromProto(v1::Share()), (Share{.rank = 0, .world = 1}));
}

TEST(ShareFromProtoTest, RankMustBeBelowWorld) {
  v1::Share proto;
  proto.set_rank(2);
  proto.set_world(3);
  EXPECT_EQ(*ShareFromProto(proto), (Share{.rank = 2, .world = 3}));
  proto.set_rank(3);
  ExpectRefused(ShareFromProto(proto).status(), "rank is 3");
  proto.set_world(std::numeric_limits<uint32_t>::max());
  ExpectRefused(ShareFromProto(proto).status(), "world is 4294967295");
}

TEST(ShapeTest, GoesBothWays) {
  const ImageShape shape{.channels = 1, .height = 28, .width = 30};
  EXPECT_EQ(*ShapeFromProto(ShapeToProto(shape)), shape);
}

TEST(ShapeTest, ErrorsNameTheField) {
  v1::ImageShape proto = ShapeToProto({});
  proto.set_channels(2);
  ExpectRefused(ShapeFromProto(proto).status(), "image.channels is 2; allowed: 1 or 3");
  proto = ShapeToProto({});
  proto.set_height(0);
  ExpectRefused(ShapeFromProto(proto).status(), "image.height is 0");
  proto = ShapeToProto({});
  proto.set_width(1 << 30);
  ExpectRefused(ShapeFromProto(proto).status(), "image.width is");
}

TEST(HeaderOfTest, CarriesAllThatTheBatchKnows) {
  Batch batch;
  batch.step = 12;
  batch.shape = {.channels = 3, .height = 4, .width = 5};
  batch.format =
      PixelFormat{.type = PixelType::kBfloat16, .layout = PixelLayout::kNhwc, .normalisation = {}};
  batch.classes = 7;
  batch.row_index = {2, 5};
  batch.rows = {{.sample = 100, .pool = PoolId::kLabelled, .view = 0},
                {.sample = 200, .pool = PoolId::kUnlabelled, .view = 1}};
  batch.run = "second";
  batch.partner = {5, 0};
  batch.lambda = {0.75f, 1.0f};
  batch.guess = GuessOrigin{.model = "m",
                            .version = 3,
                            .update = 8,
                            .weights = "0123",
                            .more = {{"second", 8, 2, "4567"}},
                            .age = 4,
                            .environment = "here",
                            .environment_changed = true,
                            .confidence = 0.75f};
  const v1::BatchHeader header = HeaderOf("id", batch);
  EXPECT_EQ(header.feed_id(), "id");
  EXPECT_EQ(header.run(), "second");
  EXPECT_EQ(header.step(), 12u);
  EXPECT_EQ(header.rows(), 2u);
  EXPECT_EQ(header.classes(), 7u);
  EXPECT_EQ(header.image().width(), 5u);
  EXPECT_EQ(header.type(), v1::BFLOAT16);
  EXPECT_EQ(header.layout(), v1::NHWC);
  EXPECT_THAT(header.row(), ElementsAre(2, 5));
  EXPECT_THAT(header.sample(), ElementsAre(100, 200));
  EXPECT_THAT(header.pool(), ElementsAre(v1::LABELLED, v1::UNLABELLED));
  EXPECT_THAT(header.view(), ElementsAre(0, 1));
  EXPECT_THAT(header.partner(), ElementsAre(5, 0));
  EXPECT_THAT(header.lambda(), ElementsAre(0.75f, 1.0f));
  EXPECT_EQ(header.guess().model(), "m");
  EXPECT_EQ(header.guess().version(), 3u);
  EXPECT_EQ(header.guess().update(), 8u);
  EXPECT_EQ(header.guess().weights(), "0123");
  ASSERT_EQ(header.guess().more_size(), 1);
  EXPECT_EQ(header.guess().more(0).model(), "second");
  EXPECT_EQ(header.guess().more(0).version(), 8u);
  EXPECT_EQ(header.guess().more(0).update(), 2u);
  EXPECT_EQ(header.guess().more(0).weights(), "4567");
  EXPECT_EQ(header.guess().age(), 4u);
  EXPECT_EQ(header.guess().environment(), "here");
  EXPECT_EQ(header.guess().confidence(), 0.75f);
  EXPECT_TRUE(header.guess().environment_changed());
}

TEST(HeaderOfTest, FeedsThatDoNotGuessHaveNoOrigin) {
  EXPECT_FALSE(HeaderOf("id", Batch()).has_guess());
}

}  // namespace
}  // namespace mixfeed
