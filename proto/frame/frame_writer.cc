#include "proto/frame/frame_writer.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/slice.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace mixfeed {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;
using google::protobuf::io::StringOutputStream;
using Owner = std::shared_ptr<const void>;

// Protobuf and gRPC count message bytes in an int32.
constexpr size_t kMaxFrameBytes = 0x7fffffff;

void WriteFieldStart(int field, size_t bytes, CodedOutputStream* out) {
  out->WriteTag(WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED));
  out->WriteVarint32(static_cast<uint32_t>(bytes));
}

std::string FieldStart(int field, size_t bytes) {
  std::string text;
  StringOutputStream stream(&text);
  CodedOutputStream out(&stream);
  WriteFieldStart(field, bytes, &out);
  out.Trim();
  return text;
}

static_assert(int{v1::Views::kHeaderFieldNumber} == int{v1::Batch::kHeaderFieldNumber} &&
              int{v1::Views::kPixelsFieldNumber} == int{v1::Batch::kPixelsFieldNumber} &&
              int{v1::Views::kTargetsFieldNumber} == int{v1::Batch::kTargetsFieldNumber});

std::string HeaderField(const google::protobuf::MessageLite& header) {
  const std::string bytes = header.SerializeAsString();
  return FieldStart(v1::Batch::kHeaderFieldNumber, bytes.size()) + bytes;
}

void ReleaseOwner(void* owner) { std::unique_ptr<Owner>(static_cast<Owner*>(owner)); }

grpc::Slice BulkSlice(std::span<const std::byte> bytes, const Owner& owner) {
  // gRPC's slices are not const, but nothing in it writes to one that it sends.
  void* const data = const_cast<std::byte*>(bytes.data());
  return {data, bytes.size(), &ReleaseOwner, std::make_unique<Owner>(owner).release()};
}

absl::StatusOr<grpc::ByteBuffer> Write(const google::protobuf::MessageLite& header,
                                       const FrameBulk& bulk, const Owner& owner) {
  const size_t small = header.ByteSizeLong() + MaxFrameOverhead(0, 0, 0);
  if (small + bulk.pixels.size() + bulk.targets.size() > kMaxFrameBytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "a batch of ", bulk.pixels.size() + bulk.targets.size(),
        " bytes does not fit in one message; allowed are less than 2 GiB: use a smaller batch or "
        "pixel type"));
  }
  std::string start = HeaderField(header);
  std::vector<grpc::Slice> slices;
  const std::pair<int, std::span<const std::byte>> fields[] = {
      {v1::Batch::kPixelsFieldNumber, bulk.pixels}, {v1::Batch::kTargetsFieldNumber, bulk.targets}};
  for (const auto& [field, bytes] : fields) {
    if (bytes.empty()) continue;  // as protobuf does with empty fields
    slices.emplace_back(start + FieldStart(field, bytes.size()));
    slices.push_back(BulkSlice(bytes, owner));
    start.clear();
  }
  if (!start.empty()) slices.emplace_back(start);
  return grpc::ByteBuffer(slices.data(), slices.size());
}

}  // namespace

absl::StatusOr<grpc::ByteBuffer> WriteFrame(const v1::BatchHeader& header, const FrameBulk& bulk,
                                            std::shared_ptr<const void> owner) {
  return Write(header, bulk, owner);
}

absl::StatusOr<grpc::ByteBuffer> WriteFrame(const v1::ViewsHeader& header, const FrameBulk& bulk,
                                            std::shared_ptr<const void> owner) {
  return Write(header, bulk, owner);
}

size_t MaxFrameOverhead(size_t rows, size_t feed_id_bytes, size_t guess_bytes) {
  // Five varints of at most 5 bytes and a float a row, a box of four varints of at most 2 bytes,
  // six further partners and their floats; fields outside the arrays take less than the rest, with
  // a tag and a length each.
  constexpr size_t kBytesPerRow = 5 * 5 + 4 + 4 * 2 + 6 * (5 + 4);
  constexpr size_t kOtherFields = 256;
  return kOtherFields + rows * kBytesPerRow + feed_id_bytes + guess_bytes;
}

}  // namespace mixfeed
