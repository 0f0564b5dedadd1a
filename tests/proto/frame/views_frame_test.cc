// Frames of mixfeed.v1.Views: what they have beyond those of batches.

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "proto/frame/frame_reader.h"
#include "proto/frame/frame_writer.h"
#include "tests/proto/frame/frame_kit.h"
#include "tests/testing/sanitizers.h"

namespace mixfeed {
namespace {

using google::protobuf::util::MessageDifferencer;
using testing::BytesOf;
using ::testing::HasSubstr;
using testing::MakeBatch;
using testing::MakeHeader;
using testing::SlicesOf;
using testing::ToBuffer;
using testing::ToString;

// Two labelled images, two views of one unlabelled image, and one that is only mixed with.
v1::Views MakeViews(v1::PixelType type = v1::UINT8, size_t bytes_per_value = 1) {
  const v1::Batch images = MakeBatch(MakeHeader(5, type), bytes_per_value);
  v1::Views views;
  v1::ViewsHeader* header = views.mutable_header();
  *header->mutable_batch() = MakeHeader(4, type);
  for (const uint32_t further : {0u, 4u, 3u, 2u}) {
    header->mutable_batch()->add_more_partner(further);
    header->mutable_batch()->add_more_weight(0.125f);
  }
  header->set_images(5);
  header->set_type(type);
  header->set_labelled_rows(2);
  header->set_unlabelled_rows(1);
  header->set_views(2);
  *header->mutable_sample() = images.header().sample();
  *header->mutable_pool() = images.header().pool();
  *header->mutable_view() = images.header().view();
  for (const int guess : {-1, -1, 0, 0, -1}) header->add_guess(guess);
  for (uint32_t side = 0; side < 20; ++side) header->add_hole(side % 4);
  header->set_temperature(0.5);
  header->set_own_targets(true);
  views.set_pixels(images.pixels());
  views.set_targets(images.targets());
  return views;
}

struct Destination {
  std::string pixels;
  std::string targets;
};

absl::Status Read(const grpc::ByteBuffer& frame, v1::ViewsHeader* header, Destination* to) {
  const auto allocate = [to](size_t pixel_bytes, size_t target_bytes) {
    to->pixels.resize(pixel_bytes);
    to->targets.resize(target_bytes);
    return FrameDestination{std::as_writable_bytes(std::span(to->pixels)),
                            std::as_writable_bytes(std::span(to->targets))};
  };
  return ReadFrame(frame, allocate, header);
}

grpc::ByteBuffer Write(const v1::Views& views) {
  return *WriteFrame(views.header(),
                     {.pixels = BytesOf(views.pixels()), .targets = BytesOf(views.targets())},
                     nullptr);
}

TEST(ViewsFrameTest, BytesAreWhatProtobufWritesAndBulkIsTheCallersMemory) {
  const v1::Views views = MakeViews();
  const grpc::ByteBuffer frame = Write(views);
  EXPECT_EQ(ToString(frame), views.SerializeAsString());
  const std::vector<grpc::Slice> slices = SlicesOf(frame);
  ASSERT_EQ(slices.size(), 4u);
  EXPECT_EQ(static_cast<const void*>(slices[1].begin()), views.pixels().data());
  EXPECT_EQ(static_cast<const void*>(slices[3].begin()), views.targets().data());
}

TEST(ViewsFrameTest, ReadsWhatTheWriterWritesInEitherType) {
  for (const auto& [type, bytes] : {std::pair{v1::UINT8, size_t{1}}, {v1::FLOAT32, size_t{4}}}) {
    const v1::Views views = MakeViews(type, bytes);
    v1::ViewsHeader header;
    Destination to;
    const absl::Status status = Read(Write(views), &header, &to);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_TRUE(MessageDifferencer::Equals(header, views.header()));
    EXPECT_EQ(to.pixels, views.pixels());
    EXPECT_EQ(to.targets, views.targets());
  }
}

TEST(ViewsFrameTest, HeadersThatDoNotFitTogetherAreDataLoss) {
  const std::pair<const char*, std::function<void(v1::ViewsHeader*)>> changes[] = {
      {"header.partner has 5", [](auto* h) { h->mutable_batch()->add_partner(0); }},
      {"header.sample has 4", [](auto* h) { h->mutable_sample()->RemoveLast(); }},
      {"header.pool has 6", [](auto* h) { h->add_pool(v1::TEST); }},
      {"header.view has 0", [](auto* h) { h->clear_view(); }},
      {"header.guess has 6 entries", [](auto* h) { h->add_guess(0); }},
      {"header.hole has 19", [](auto* h) { h->mutable_hole()->RemoveLast(); }},
      {"header.batch.row has 5; there are 5 images",
       [](auto* h) { h->mutable_batch()->set_row(3, 5); }},
      {"header.batch.partner has 7", [](auto* h) { h->mutable_batch()->set_partner(0, 7); }},
      {"header.batch.more_partner has 4294967295",
       [](auto* h) { h->mutable_batch()->set_more_partner(1, ~0u); }},
      {"header.guess has 1; there are 1 rows", [](auto* h) { h->set_guess(2, 1); }},
      {"header.guess has -2", [](auto* h) { h->set_guess(0, -2); }},
      {"header.images is 5; there are 4 labelled", [](auto* h) { h->set_labelled_rows(4); }},
      {"header.images is 5", [](auto* h) { h->set_views(~0u); }},
      {"no pixel type", [](auto* h) { h->clear_type(); }},
      {"promises more", [](auto* h) { h->mutable_batch()->set_classes(1 << 30); }},
      {"pixels has 300 bytes; the header says 1200",
       [](auto* h) {
         h->set_type(v1::FLOAT32);
         h->mutable_batch()->mutable_image()->set_channels(3);
       }},
  };
  for (const auto& [message, change] : changes) {
    v1::Views views = MakeViews();
    views.mutable_targets()->resize(5 * 3 * 4);
    change(views.mutable_header());
    // As long as a header of float32 needs.
    if (views.header().type() == v1::FLOAT32) views.mutable_targets()->resize(2000);
    v1::ViewsHeader header;
    Destination to;
    const absl::Status status = Read(ToBuffer(views.SerializeAsString()), &header, &to);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << message;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  }
}

TEST(ViewsFrameTest, DamagedFramesAreReadOrRefusedButNeverOverrun) {
  const std::string good = MakeViews().SerializeAsString();
  std::mt19937 random(12);
  for (int round = 0; round < testing::Rounds(20'000); ++round) {
    std::string bytes = good;
    for (uint32_t i = 0; i <= random() % 4; ++i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    v1::ViewsHeader header;
    Destination to;
    const absl::Status status = Read(ToBuffer(bytes, {random() % bytes.size()}), &header, &to);
    ASSERT_TRUE(status.ok() || status.code() == absl::StatusCode::kDataLoss) << status;
    ASSERT_LE(to.pixels.size() + to.targets.size(), bytes.size());
  }
}

}  // namespace
}  // namespace mixfeed
