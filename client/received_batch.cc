#include "client/received_batch.h"

#include <xxhash.h>

#include <bit>
#include <cinttypes>
#include <cstdio>
#include <utility>

#include "augment/base/status_macros.h"
#include "proto/frame/frame_reader.h"

namespace mixfeed {
namespace {

static_assert(std::endian::native == std::endian::little,
              "frames and digests are little-endian and are used as they lie in memory");

class Hasher {
 public:
  Hasher() : state_(XXH3_createState(), &XXH3_freeState) { XXH3_64bits_reset(state_.get()); }

  void Add(const void* data, size_t bytes) { XXH3_64bits_update(state_.get(), data, bytes); }

  template <typename T>
  void AddField(const google::protobuf::RepeatedField<T>& field) {
    static_assert(sizeof(T) == sizeof(uint32_t));
    Add(field.data(), static_cast<size_t>(field.size()) * sizeof(T));
  }

  std::string Hex() const {
    char text[17];
    std::snprintf(text, sizeof(text), "%016" PRIx64,
                  static_cast<uint64_t>(XXH3_64bits_digest(state_.get())));
    return text;
  }

 private:
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state_;
};

std::string FrameDigest(const v1::BatchHeader& batch, std::span<const std::byte> pixels,
                        std::span<const float> targets) {
  Hasher hasher;
  const uint64_t step = batch.step();
  hasher.Add(&step, sizeof(step));
  hasher.AddField(batch.row());
  hasher.AddField(batch.sample());
  hasher.AddField(batch.pool());
  hasher.AddField(batch.view());
  hasher.AddField(batch.partner());
  hasher.AddField(batch.lambda());
  hasher.Add(pixels.data(), pixels.size());
  hasher.Add(targets.data(), targets.size_bytes());
  return hasher.Hex();
}

template <typename Impl>
absl::StatusOr<std::unique_ptr<Impl>> Decode(const grpc::ByteBuffer& frame,
                                             const std::shared_ptr<BufferPool>& pool) {
  auto impl = std::make_unique<Impl>(pool);
  const auto allocate = [&impl](size_t pixel_bytes, size_t target_bytes) {
    impl->Allocate(pixel_bytes, target_bytes);
    return FrameDestination{impl->pixels, std::as_writable_bytes(impl->targets)};
  };
  MIXFEED_RETURN_IF_ERROR(ReadFrame(frame, allocate, &impl->header));
  return impl;
}

}  // namespace

ReceivedBatch::ReceivedBatch() = default;
ReceivedBatch::~ReceivedBatch() = default;
ReceivedBatch::ReceivedBatch(ReceivedBatch&&) noexcept = default;
ReceivedBatch& ReceivedBatch::operator=(ReceivedBatch&&) noexcept = default;
ReceivedBatch::ReceivedBatch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

const v1::BatchHeader& ReceivedBatch::header() const {
  return impl_ == nullptr ? v1::BatchHeader::default_instance() : impl_->header;
}

std::span<const std::byte> ReceivedBatch::pixels() const {
  if (impl_ == nullptr) return {};
  return impl_->pixels;
}

std::span<const float> ReceivedBatch::targets() const {
  if (impl_ == nullptr) return {};
  return impl_->targets;
}

std::string ReceivedBatch::Digest() const { return FrameDigest(header(), pixels(), targets()); }

ReceivedViews::ReceivedViews() = default;
ReceivedViews::~ReceivedViews() = default;
ReceivedViews::ReceivedViews(ReceivedViews&&) noexcept = default;
ReceivedViews& ReceivedViews::operator=(ReceivedViews&&) noexcept = default;
ReceivedViews::ReceivedViews(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

const v1::ViewsHeader& ReceivedViews::header() const {
  return impl_ == nullptr ? v1::ViewsHeader::default_instance() : impl_->header;
}

std::span<const std::byte> ReceivedViews::pixels() const {
  if (impl_ == nullptr) return {};
  return impl_->pixels;
}

std::span<const float> ReceivedViews::targets() const {
  if (impl_ == nullptr) return {};
  return impl_->targets;
}

std::string ReceivedViews::Digest() const {
  return FrameDigest(header().batch(), pixels(), targets());
}

absl::StatusOr<ReceivedBatch> DecodeBatch(const grpc::ByteBuffer& frame,
                                          const std::shared_ptr<BufferPool>& pool) {
  MIXFEED_ASSIGN_OR_RETURN(auto impl, Decode<ReceivedBatch::Impl>(frame, pool));
  return ReceivedBatch(std::move(impl));
}

absl::StatusOr<ReceivedViews> DecodeViews(const grpc::ByteBuffer& frame,
                                          const std::shared_ptr<BufferPool>& pool) {
  MIXFEED_ASSIGN_OR_RETURN(auto impl, Decode<ReceivedViews::Impl>(frame, pool));
  return ReceivedViews(std::move(impl));
}

}  // namespace mixfeed
