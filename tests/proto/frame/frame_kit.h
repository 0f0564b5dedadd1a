#ifndef MIXFEED_TESTS_PROTO_FRAME_FRAME_KIT_H_
#define MIXFEED_TESTS_PROTO_FRAME_FRAME_KIT_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "mixfeed/v1/feed.pb.h"

namespace mixfeed::testing {

// A header whose arrays fit its rows; the image is 3 x 4 x 5.
inline v1::BatchHeader MakeHeader(uint32_t rows, v1::PixelType type = v1::UINT8,
                                  uint32_t classes = 3) {
  v1::BatchHeader header;
  header.set_feed_id("0123456789abcdef0123456789abcdef");
  header.set_step(300);
  header.set_rows(rows);
  header.set_classes(classes);
  header.mutable_image()->set_channels(3);
  header.mutable_image()->set_height(4);
  header.mutable_image()->set_width(5);
  header.set_type(type);
  header.set_layout(v1::NHWC);
  for (uint32_t r = 0; r < rows; ++r) {
    header.add_row(r);
    header.add_sample(40'000 + r);
    header.add_pool(r % 2 == 0 ? v1::LABELLED : v1::UNLABELLED);
    header.add_view(r % 3);
    header.add_partner(rows - 1 - r);
    header.add_lambda(0.5f + 0.01f * static_cast<float>(r));
  }
  header.mutable_guess()->set_model("small");
  header.mutable_guess()->set_version(7);
  return header;
}

// Random bytes of the sizes that `header` implies, as stock protobuf holds them.
inline v1::Batch MakeBatch(const v1::BatchHeader& header, size_t bytes_per_value) {
  std::mt19937 random(5);
  const auto fill = [&random](size_t bytes) {
    std::string text(bytes, '\0');
    for (char& c : text) c = static_cast<char>(random());
    return text;
  };
  v1::Batch batch;
  *batch.mutable_header() = header;
  const size_t image = size_t{header.image().channels()} * header.image().height() *
                       header.image().width() * bytes_per_value;
  batch.set_pixels(fill(header.rows() * image));
  batch.set_targets(fill(size_t{header.rows()} * header.classes() * sizeof(float)));
  return batch;
}

inline std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// `bytes` in slices of the given lengths; what is left goes into one more.
inline grpc::ByteBuffer ToBuffer(const std::string& bytes,
                                 const std::vector<size_t>& lengths = {}) {
  std::vector<grpc::Slice> slices;
  size_t at = 0;
  for (const size_t length : lengths) {
    slices.emplace_back(bytes.data() + at, length);
    at += length;
  }
  if (at < bytes.size() || slices.empty())
    slices.emplace_back(bytes.data() + at, bytes.size() - at);
  return {slices.data(), slices.size()};
}

inline std::vector<grpc::Slice> SlicesOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) slices.clear();
  return slices;
}

inline std::string ToString(const grpc::ByteBuffer& buffer) {
  std::string bytes;
  for (const grpc::Slice& slice : SlicesOf(buffer)) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_PROTO_FRAME_FRAME_KIT_H_
