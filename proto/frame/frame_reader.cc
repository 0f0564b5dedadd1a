#include "proto/frame/frame_reader.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <cstdint>
#include <initializer_list>
#include <optional>

#include "absl/status/statusor.h"
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

absl::Status FirstError(std::initializer_list<absl::Status> statuses) {
  for (const absl::Status& status : statuses) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

struct BulkBytes {
  uint64_t pixels = 0;
  uint64_t targets = 0;
};

// Bytes of `images` images of a type and their targets; DataLoss when they are more than `left`.
absl::StatusOr<BulkBytes> BytesOfImages(uint32_t images, v1::PixelType type, uint32_t columns,
                                        const v1::ImageShape& shape, uint64_t left) {
  const uint64_t value_bytes = BytesOf(type);
  if (value_bytes == 0) {
    return absl::DataLossError(absl::StrCat("frame: header.type ", type, " is no pixel type"));
  }
  const auto pixels =
      BoundedProduct({images, shape.channels(), shape.height(), shape.width(), value_bytes}, left);
  const auto targets = BoundedProduct({images, columns, sizeof(float)}, left);
  if (!pixels || !targets || *pixels + *targets > left) {
    return absl::DataLossError(
        absl::StrCat("frame: the header promises more than the ", left, " bytes that follow it"));
  }
  return BulkBytes{*pixels, *targets};
}

struct NamedArray {
  const char* name;
  int size;
};

absl::Status CheckArrays(std::initializer_list<NamedArray> arrays, uint32_t entries,
                         const char* what) {
  for (const NamedArray& array : arrays) {
    if (static_cast<uint32_t>(array.size) == entries) continue;
    return absl::DataLossError(absl::StrCat("frame: header.", array.name, " has ", array.size,
                                            " entries for ", entries, " ", what));
  }
  return absl::OkStatus();
}

// Boxes, four numbers each: none, or one of each.
absl::Status CheckBoxes(const NamedArray& boxes, uint32_t entries, const char* what) {
  if (boxes.size == 0 || boxes.size == int64_t{4} * entries) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("frame: header.", boxes.name, " has ", boxes.size,
                                          " entries for ", entries, " ", what));
}

// Whole rows of further partners.
absl::Status CheckFurther(const v1::BatchHeader& header) {
  const uint32_t rows = header.rows();
  const int partners = header.more_partner_size();
  if (partners == header.more_weight_size() &&
      (partners == 0 || (rows != 0 && static_cast<uint32_t>(partners) % rows == 0))) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat("frame: header.more_partner has ", partners,
                                          " entries and more_weight ", header.more_weight_size(),
                                          " for ", rows, " rows"));
}

absl::Status CheckRows(const v1::BatchHeader& header) {
  const uint32_t rows = header.rows();
  return FirstError({CheckArrays({{"row", header.row_size()},
                                  {"sample", header.sample_size()},
                                  {"pool", header.pool_size()},
                                  {"view", header.view_size()},
                                  {"partner", header.partner_size()},
                                  {"lambda", header.lambda_size()}},
                                 rows, "rows"),
                     CheckBoxes({"box", header.box_size()}, rows, "rows"), CheckFurther(header)});
}

absl::StatusOr<BulkBytes> CheckHeader(const v1::BatchHeader& header, uint64_t left) {
  if (absl::Status status = CheckRows(header); !status.ok()) return status;
  const uint32_t columns = header.targets() == v1::PAIRS ? 3 : header.classes();
  return BytesOfImages(header.rows(), header.type(), columns, header.image(), left);
}

absl::Status CheckIndices(const char* name, const google::protobuf::RepeatedField<uint32_t>& values,
                          uint32_t images) {
  for (const uint32_t value : values) {
    if (value < images) continue;
    return absl::DataLossError(absl::StrCat("frame: header.batch.", name, " has ", value,
                                            "; there are ", images, " images"));
  }
  return absl::OkStatus();
}

absl::Status CheckGuesses(const v1::ViewsHeader& header) {
  for (const int32_t guess : header.guess()) {
    if (guess >= -1 && guess < int64_t{header.unlabelled_rows()}) continue;
    return absl::DataLossError(absl::StrCat("frame: header.guess has ", guess, "; there are ",
                                            header.unlabelled_rows(), " rows of guesses"));
  }
  return absl::OkStatus();
}

absl::Status CheckGroups(const v1::ViewsHeader& header) {
  const auto grouped = BoundedProduct({header.views(), header.unlabelled_rows()}, header.images());
  if (grouped && *grouped + header.labelled_rows() <= header.images()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      "frame: header.images is ", header.images(), "; there are ", header.labelled_rows(),
      " labelled rows and ", header.views(), " views of ", header.unlabelled_rows()));
}

absl::StatusOr<BulkBytes> CheckHeader(const v1::ViewsHeader& header, uint64_t left) {
  const v1::BatchHeader& batch = header.batch();
  const uint32_t images = header.images();
  absl::Status status = FirstError({CheckRows(batch),
                                    CheckArrays({{"sample", header.sample_size()},
                                                 {"pool", header.pool_size()},
                                                 {"view", header.view_size()},
                                                 {"guess", header.guess_size()}},
                                                images, "images"),
                                    CheckBoxes({"hole", header.hole_size()}, images, "images"),
                                    CheckIndices("row", batch.row(), images),
                                    CheckIndices("partner", batch.partner(), images),
                                    CheckIndices("more_partner", batch.more_partner(), images),
                                    CheckGuesses(header), CheckGroups(header)});
  if (!status.ok()) return status;
  return BytesOfImages(images, header.type(), batch.classes(), batch.image(), left);
}

// Reads one frame. `in_` counts what is left of it, so that every length is checked before use.
template <typename Header>
class Reader {
 public:
  Reader(CodedInputStream* in, uint64_t frame_bytes, const AllocateBulk& allocate, Header* header)
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
    const absl::StatusOr<BulkBytes> bytes = CheckHeader(*header_, Left());
    if (!bytes.ok()) return bytes.status();
    bulk_[0].bytes = bytes->pixels;
    bulk_[1].bytes = bytes->targets;
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
  Header* const header_;
  bool has_header_ = false;
  bool allocated_ = false;
  Bulk bulk_[2] = {{.name = "pixels", .field = v1::Batch::kPixelsFieldNumber},
                   {.name = "targets", .field = v1::Batch::kTargetsFieldNumber}};
};

template <typename Header>
absl::Status Read(const grpc::ByteBuffer& frame, const AllocateBulk& allocate, Header* header) {
  header->Clear();
  if (!frame.Valid()) return Malformed();
  // The reader wants a buffer that it may change; a copy shares the slices.
  grpc::ByteBuffer slices(frame);
  grpc::ProtoBufferReader stream(&slices);
  if (!stream.status().ok()) return Malformed();
  CodedInputStream in(&stream);
  return Reader<Header>(&in, frame.Length(), allocate, header).Read();
}

}  // namespace

absl::Status ReadFrame(const grpc::ByteBuffer& frame, const AllocateBulk& allocate,
                       v1::BatchHeader* header) {
  return Read(frame, allocate, header);
}

absl::Status ReadFrame(const grpc::ByteBuffer& frame, const AllocateBulk& allocate,
                       v1::ViewsHeader* header) {
  return Read(frame, allocate, header);
}

}  // namespace mixfeed
