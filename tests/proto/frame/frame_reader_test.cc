#include "proto/frame/frame_reader.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <vector>

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
using testing::ToBuffer;
using testing::ToString;

// Takes what the reader asks for, and notes it.
struct Destination {
  std::string pixels;
  std::string targets;
  int calls = 0;

  FrameDestination Allocate(size_t pixel_bytes, size_t target_bytes) {
    ++calls;
    pixels.resize(pixel_bytes);
    targets.resize(target_bytes);
    return {std::as_writable_bytes(std::span(pixels)), std::as_writable_bytes(std::span(targets))};
  }
  AllocateBulk Callback() {
    return [this](size_t pixel_bytes, size_t target_bytes) {
      return Allocate(pixel_bytes, target_bytes);
    };
  }
};

absl::Status Read(const grpc::ByteBuffer& frame, Destination* to = nullptr) {
  Destination unused;
  v1::BatchHeader header;
  return ReadFrame(frame, (to != nullptr ? to : &unused)->Callback(), &header);
}

void ExpectReads(const grpc::ByteBuffer& frame, const v1::Batch& batch) {
  Destination to;
  v1::BatchHeader header;
  const absl::Status status = ReadFrame(frame, to.Callback(), &header);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(MessageDifferencer::Equals(header, batch.header()));
  EXPECT_EQ(to.calls, 1);
  ASSERT_EQ(to.pixels, batch.pixels());
  ASSERT_EQ(to.targets, batch.targets());
}

void ExpectDataLoss(const std::string& bytes, const std::string& message) {
  Destination to;
  const absl::Status status = Read(ToBuffer(bytes), &to);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status << " for " << message;
  EXPECT_THAT(std::string(status.message()), HasSubstr(message));
}

// The three fields of a frame, to be put together otherwise.
struct Fields {
  std::string header;
  std::string pixels;
  std::string targets;
};

Fields FieldsOf(const v1::Batch& batch) {
  v1::Batch header, pixels, targets;
  *header.mutable_header() = batch.header();
  pixels.set_pixels(batch.pixels());
  targets.set_targets(batch.targets());
  return {header.SerializeAsString(), pixels.SerializeAsString(), targets.SerializeAsString()};
}

TEST(FrameReaderTest, ReadsEveryPixelType) {
  const std::pair<v1::PixelType, size_t> types[] = {
      {v1::UINT8, 1}, {v1::FLOAT16, 2}, {v1::BFLOAT16, 2}, {v1::FLOAT32, 4}};
  for (const auto& [type, bytes] : types) {
    const v1::Batch batch = MakeBatch(MakeHeader(7, type), bytes);
    ExpectReads(ToBuffer(batch.SerializeAsString()), batch);
  }
}

TEST(FrameReaderTest, ReadsWhatTheWriterWrites) {
  const v1::Batch batch = MakeBatch(MakeHeader(9, v1::FLOAT32), 4);
  const auto frame =
      WriteFrame(batch.header(),
                 {.pixels = BytesOf(batch.pixels()), .targets = BytesOf(batch.targets())}, nullptr);
  ASSERT_TRUE(frame.ok());
  ExpectReads(*frame, batch);
}

TEST(FrameReaderTest, ReadsFramesSplitAtEveryByte) {
  const v1::Batch batch = MakeBatch(MakeHeader(2), 1);
  const std::string bytes = batch.SerializeAsString();
  for (size_t split = 0; split <= bytes.size(); ++split) {
    ExpectReads(ToBuffer(bytes, {split}), batch);
  }
}

TEST(FrameReaderTest, ReadsManyTinySlices) {
  const v1::Batch batch = MakeBatch(MakeHeader(4), 1);
  const std::string bytes = batch.SerializeAsString();
  ExpectReads(ToBuffer(bytes, std::vector<size_t>(bytes.size(), 1)), batch);
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<size_t> lengths;
    for (size_t left = bytes.size(); left > 0; left -= lengths.back()) {
      lengths.push_back(std::min<size_t>(left, random() % 40));  // empty slices too
    }
    ExpectReads(ToBuffer(bytes, lengths), batch);
  }
}

TEST(FrameReaderTest, HeaderFirstIsTheOnlyOrderThatMatters) {
  const v1::Batch batch = MakeBatch(MakeHeader(3), 1);
  const Fields fields = FieldsOf(batch);
  ExpectReads(ToBuffer(fields.header + fields.targets + fields.pixels), batch);
  ExpectDataLoss(fields.pixels + fields.header + fields.targets, "pixels precedes the header");
}

TEST(FrameReaderTest, SkipsUnknownFields) {
  const v1::Batch batch = MakeBatch(MakeHeader(3), 1);
  const Fields fields = FieldsOf(batch);
  const std::string unknown[] = {
      std::string("\x10\x05", 2),  // field 2, varint
      std::string("\x19"
                  "12345678",
                  9),  // field 3, 8 bytes
      std::string("\x22\x03"
                  "abc",
                  5),                      // field 4, length-delimited
      std::string("\x2b\x30\x01\x2c", 4),  // field 5, a group holding field 6
      std::string("\x3d"
                  "1234",
                  5),  // field 7, 4 bytes
  };
  for (const std::string& field : unknown) {
    ExpectReads(ToBuffer(field + fields.header + fields.pixels + fields.targets), batch);
    ExpectReads(ToBuffer(fields.header + field + fields.pixels + field + fields.targets + field),
                batch);
  }
}

TEST(FrameReaderTest, TruncationAtEveryByteIsDataLoss) {
  const std::string bytes = MakeBatch(MakeHeader(2), 1).SerializeAsString();
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_EQ(Read(ToBuffer(bytes.substr(0, length))).code(), absl::StatusCode::kDataLoss)
        << length << " of " << bytes.size() << " bytes";
  }
}

TEST(FrameReaderTest, BufferWithoutBytesIsDataLoss) {
  EXPECT_EQ(Read(grpc::ByteBuffer()).code(), absl::StatusCode::kDataLoss);
}

TEST(FrameReaderTest, MissingAndDoubleFieldsAreDataLoss) {
  const Fields f = FieldsOf(MakeBatch(MakeHeader(3), 1));
  ExpectDataLoss("", "header is missing");
  // Without bytes in their place the header would promise more than follows.
  v1::Batch stand_in;
  stand_in.GetReflection()->MutableUnknownFields(&stand_in)->AddLengthDelimited(
      2000, std::string(500, 'x'));
  const std::string unknown = stand_in.SerializeAsString();
  ExpectDataLoss(f.header + f.targets, "promises more");
  ExpectDataLoss(f.header + f.targets + unknown, "pixels is missing");
  ExpectDataLoss(f.header + f.pixels + unknown, "targets is missing");
  ExpectDataLoss(f.header + f.header + f.pixels + f.targets, "header comes twice");
  ExpectDataLoss(f.header + f.pixels + f.targets + f.pixels, "pixels comes twice");
  ExpectDataLoss(f.header + f.pixels + f.targets + f.targets, "targets comes twice");
}

TEST(FrameReaderTest, LengthsThatDoNotFitTheHeaderAreDataLoss) {
  v1::Batch batch = MakeBatch(MakeHeader(3), 1);
  batch.mutable_pixels()->pop_back();
  batch.mutable_targets()->push_back('x');
  ExpectDataLoss(batch.SerializeAsString(), "pixels has 179 bytes; the header says 180");
  batch.mutable_pixels()->push_back('x');
  ExpectDataLoss(batch.SerializeAsString(), "targets has 37 bytes; the header says 36");
}

TEST(FrameReaderTest, RowArraysOfAnotherLengthAreDataLoss) {
  const std::pair<const char*, std::function<void(v1::BatchHeader*)>> changes[] = {
      {"header.row has 4", [](v1::BatchHeader* h) { h->add_row(1); }},
      {"header.sample has 2", [](v1::BatchHeader* h) { h->mutable_sample()->RemoveLast(); }},
      {"header.pool has 4", [](v1::BatchHeader* h) { h->add_pool(v1::TEST); }},
      {"header.view has 0", [](v1::BatchHeader* h) { h->clear_view(); }},
      {"header.partner has 4", [](v1::BatchHeader* h) { h->add_partner(0); }},
      {"header.lambda has 2", [](v1::BatchHeader* h) { h->mutable_lambda()->RemoveLast(); }},
  };
  for (const auto& [message, change] : changes) {
    v1::Batch batch = MakeBatch(MakeHeader(3), 1);
    change(batch.mutable_header());
    ExpectDataLoss(batch.SerializeAsString(), message);
  }
}

TEST(FrameReaderTest, UnknownPixelTypeIsDataLoss) {
  for (const int type : {0, 5, -1}) {
    v1::Batch batch = MakeBatch(MakeHeader(3), 1);
    batch.mutable_header()->set_type(static_cast<v1::PixelType>(type));
    ExpectDataLoss(batch.SerializeAsString(), "no pixel type");
  }
}

TEST(FrameReaderTest, GarbageAfterTheFieldsIsDataLoss) {
  const std::string good = MakeBatch(MakeHeader(3), 1).SerializeAsString();
  for (const std::string& tail :
       {std::string(1, '\0'), std::string("\x0c"), std::string("\xff\xff\xff\xff\xff\xff", 6)}) {
    ExpectDataLoss(good + tail, "malformed");
  }
}

TEST(FrameReaderTest, NothingIsAllocatedOnTheWireWord) {
  v1::BatchHeader header = MakeHeader(2);
  header.mutable_image()->set_height(1 << 20);
  header.mutable_image()->set_width(1 << 20);
  v1::Batch huge;
  *huge.mutable_header() = header;
  huge.set_pixels("few");
  Destination to;
  const absl::Status status = Read(ToBuffer(huge.SerializeAsString()), &to);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("promises more"));
  EXPECT_EQ(to.calls, 0);

  // A length of 4 GiB - 1 in front of nothing.
  const Fields fields = FieldsOf(MakeBatch(MakeHeader(2), 1));
  const std::string lie = fields.pixels.substr(0, 2) + "\xff\xff\xff\xff\x0f";
  EXPECT_EQ(Read(ToBuffer(fields.header + lie), &to).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(to.calls, 0);
}

TEST(FrameReaderTest, SizesThatOverflowAreDataLoss) {
  v1::Batch batch = MakeBatch(MakeHeader(2), 1);
  batch.mutable_header()->mutable_image()->set_channels(0xffffffffu);
  batch.mutable_header()->mutable_image()->set_height(0xffffffffu);
  batch.mutable_header()->mutable_image()->set_width(0xffffffffu);
  ExpectDataLoss(batch.SerializeAsString(), "promises more");
}

TEST(FrameReaderTest, MemoryOfAnotherSizeIsRefused) {
  const std::string bytes = MakeBatch(MakeHeader(3), 1).SerializeAsString();
  v1::BatchHeader header;
  const absl::Status status = ReadFrame(
      ToBuffer(bytes), [](size_t, size_t) { return FrameDestination{}; }, &header);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

TEST(FrameReaderTest, DamagedFramesAreReadOrRefusedButNeverOverrun) {
  const std::string good = MakeBatch(MakeHeader(3), 1).SerializeAsString();
  std::mt19937 random(11);
  for (int round = 0; round < testing::Rounds(20'000); ++round) {
    std::string bytes = good;
    for (uint32_t i = 0; i <= random() % 4; ++i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    Destination to;
    const absl::Status status = Read(ToBuffer(bytes, {random() % bytes.size()}), &to);
    ASSERT_TRUE(status.ok() || status.code() == absl::StatusCode::kDataLoss) << status;
    ASSERT_LE(to.pixels.size() + to.targets.size(), bytes.size());
  }
}

}  // namespace
}  // namespace mixfeed
