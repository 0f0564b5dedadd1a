#include "proto/frame/frame_reader.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <cstdint>
#include <initializer_list>
#include <optional>

#include "absl/strings/str_cat.h"

namespace mixfeed {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// The product, or nullopt when it is above `limit`.
std::optional<uint64_t> BoundedProduct(std::initializer_list<uint64_t> factors, uint64_t limit) {
  uint64_t product = 1;
  for (const uint64_t factor : factors) {
    if (factor == 0) return 0;
    if (product > limit / factor) return std::nullopt;
    product *= factor;
  }
  return product;
}

uint64_t BytesOf(v1::PixelType type) {
  switch (type) {
    case v1::UINT8:
      return 1;
    case v1::FLOAT16:
    case v1::BFLOAT16:
      return 2;
    case v1::FLOAT32:
      return 4;
    default:
      return 0;
  }
}

absl::Status Malformed() { return absl::DataLossError("frame: truncated or malformed bytes"); }

// Reads one frame. `in_` counts what is left of it, so that every length is checked before use.
class Reader {
 public:
  Reader(CodedInputStream* in, uint64_t frame_bytes, const AllocateBulk& allocate,
         v1::BatchHeader* header)
      : in_(in), frame_bytes_(frame_bytes), allocate_(allocate), header_(header) {}

  absl::Status Read() {
    while (const uint32_t tag = in_->ReadTag()) {
      if (absl::Status status = ReadField(tag); !status.ok()) return status;
    }
    if (!in_->ConsumedEntireMessage() || Left() != 0) return Malformed();
    if (!has_header_) return absl::DataLossError("frame: field header is missing");
    for (const Bulk& bulk : bulk_) {
      if (!bulk.seen && bulk.bytes > 0) {
        return absl::DataLossError(absl::StrCat("frame: field ", bulk.name, " is missing"));
      }
    }
    return absl::OkStatus();
  }

 private:
  struct Bulk {
    const char* name;
    int field;
    uint64_t bytes = 0;  // as the header says
    std::span<std::byte> memory = {};
    bool seen = false;
  };

  uint64_t Left() const { return frame_bytes_ - static_cast<uint64_t>(in_->CurrentPosition()); }

  absl::Status ReadField(uint32_t tag) {
    if (tag == TagOf(v1::Batch::kHeaderFieldNumber)) return ReadHeader();
    for (Bulk& bulk : bulk_) {
      if (tag == TagOf(bulk.field)) return ReadBulk(&bulk);
    }
    return WireFormatLite::SkipField(in_, tag) ? absl::OkStatus() : Malformed();
  }

  static uint32_t TagOf(int field) {
    return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  }

  absl::Status ReadLength(uint32_t* length) {
    return in_->ReadVarint32(length) && *length <= Left() ? absl::OkStatus() : Malformed();
  }

  absl::Status ReadHeader() {
    if (has_header_) return absl::DataLossError("frame: field header comes twice");
    has_header_ = true;
    uint32_t length = 0;
    if (absl::Status status = ReadLength(&length); !status.ok()) return status;
    const CodedInputStream::Limit limit = in_->PushLimit(static_cast<int>(length));
    const bool parsed = header_->ParseFromCodedStream(in_) && in_->BytesUntilLimit() == 0;
    in_->PopLimit(limit);
    if (!parsed) return absl::DataLossError("frame: field header cannot be parsed");
    return CheckHeader();
  }

  absl::Status CheckHeader() {
    if (absl::Status status = CheckRowArrays(); !status.ok()) return status;
    const v1::ImageShape& image = header_->image();
    const uint64_t value_bytes = BytesOf(header_->type());
    if (value_bytes == 0) {
      return absl::DataLossError(
          absl::StrCat("frame: header.type ", header_->type(), " is no pixel type"));
    }
    const auto pixels = BoundedProduct(
        {header_->rows(), image.channels(), image.height(), image.width(), value_bytes}, Left());
    const uint32_t columns = header_->targets() == v1::PAIRS ? 3 : header_->classes();
    const auto targets = BoundedProduct({header_->rows(), columns, sizeof(float)}, Left());
    if (!pixels || !targets || *pixels + *targets > Left()) {
      return absl::DataLossError(absl::StrCat("frame: the header promises more than the ", Left(),
                                              " bytes that follow it"));
    }
    bulk_[0].bytes = *pixels;
    bulk_[1].bytes = *targets;
    return absl::OkStatus();
  }

  absl::Status CheckRowArrays() const {
    const struct {
      const char* name;
      int size;
    } arrays[] = {{"row", header_->row_size()},         {"sample", header_->sample_size()},
                  {"pool", header_->pool_size()},       {"view", header_->view_size()},
                  {"partner", header_->partner_size()}, {"lambda", header_->lambda_size()}};
    for (const auto& array : arrays) {
      if (static_cast<uint32_t>(array.size) != header_->rows()) {
        return absl::DataLossError(absl::StrCat("frame: header.", array.name, " has ", array.size,
                                                " entries for ", header_->rows(), " rows"));
      }
    }
    return CheckMixArrays();
  }

  // The arrays that not every batch has: four numbers a row, and whole rows of partners.
  absl::Status CheckMixArrays() const {
    const auto rows = static_cast<int64_t>(header_->rows());
    const int boxes = header_->box_size();
    if (boxes != 0 && boxes != 4 * rows) {
      return absl::DataLossError(
          absl::StrCat("frame: header.box has ", boxes, " entries for ", rows, " rows"));
    }
    const int partners = header_->more_partner_size();
    if (partners != header_->more_weight_size() ||
        (partners != 0 && (rows == 0 || partners % rows != 0))) {
      return absl::DataLossError(absl::StrCat("frame: header.more_partner has ", partners,
                                              " entries and more_weight ",
                                              header_->more_weight_size(), " for ", rows, " rows"));
    }
    return absl::OkStatus();
  }

  absl::Status ReadBulk(Bulk* bulk) {
    if (!has_header_) {
      return absl::DataLossError(absl::StrCat("frame: field ", bulk->name, " precedes the header"));
    }
    if (bulk->seen) {
      return absl::DataLossError(absl::StrCat("frame: field ", bulk->name, " comes twice"));
    }
    bulk->seen = true;
    uint32_t length = 0;
    if (absl::Status status = ReadLength(&length); !status.ok()) return status;
    if (length != bulk->bytes) {
      return absl::DataLossError(absl::StrCat("frame: field ", bulk->name, " has ", length,
                                              " bytes; the header says ", bulk->bytes));
    }
    if (absl::Status status = AllocateOnce(); !status.ok()) return status;
    // The one copy: ReadRaw goes from slice to slice, straight to the memory that was given.
    const bool copied = in_->ReadRaw(bulk->memory.data(), static_cast<int>(length));
    return copied ? absl::OkStatus() : Malformed();
  }

  absl::Status AllocateOnce() {
    if (allocated_) return absl::OkStatus();
    allocated_ = true;
    const FrameDestination to = allocate_(bulk_[0].bytes, bulk_[1].bytes);
    if (to.pixels.size() != bulk_[0].bytes || to.targets.size() != bulk_[1].bytes) {
      return absl::ResourceExhaustedError(absl::StrCat("frame: no memory for ", bulk_[0].bytes,
                                                       " + ", bulk_[1].bytes, " bytes was given"));
    }
    bulk_[0].memory = to.pixels;
    bulk_[1].memory = to.targets;
    return absl::OkStatus();
  }

  CodedInputStream* const in_;
  const uint64_t frame_bytes_;
  const AllocateBulk& allocate_;
  v1::BatchHeader* const header_;
  bool has_header_ = false;
  bool allocated_ = false;
  Bulk bulk_[2] = {{.name = "pixels", .field = v1::Batch::kPixelsFieldNumber},
                   {.name = "targets", .field = v1::Batch::kTargetsFieldNumber}};
};

}  // namespace

absl::Status ReadFrame(const grpc::ByteBuffer& frame, const AllocateBulk& allocate,
                       v1::BatchHeader* header) {
  header->Clear();
  if (!frame.Valid()) return Malformed();
  // The reader wants a buffer that it may change; a copy shares the slices.
  grpc::ByteBuffer slices(frame);
  grpc::ProtoBufferReader stream(&slices);
  if (!stream.status().ok()) return Malformed();
  CodedInputStream in(&stream);
  return Reader(&in, frame.Length(), allocate, header).Read();
}

}  // namespace mixfeed
