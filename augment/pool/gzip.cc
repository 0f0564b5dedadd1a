#include "augment/pool/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "augment/base/memory.h"
#include "augment/base/status_macros.h"
#include "augment/pool/file_io.h"

namespace mixfeed {
namespace {

constexpr int kGzipWindow = 16 + MAX_WBITS;      // gzip's wrapper and no other
constexpr size_t kChunkBytes = size_t{1} << 20;  // memory grows with what is there, not with claims

// What zlib's `result` says about the file, where it is not that there is more.
absl::Status CheckEnd(const std::string& path, const z_stream& stream, int result) {
  if (result == Z_STREAM_END && stream.avail_in == 0) return absl::OkStatus();
  if (result == Z_STREAM_END) {
    return absl::DataLossError(absl::StrCat(path, ": has ", stream.avail_in,
                                            " bytes after its gzip data, which end at byte ",
                                            stream.total_in));
  }
  if (result == Z_BUF_ERROR) {
    return absl::DataLossError(
        absl::StrCat(path, ": gzip data are cut off at byte ", stream.total_in));
  }
  return absl::DataLossError(absl::StrCat(path, ": gzip data are damaged at byte ", stream.total_in,
                                          ": ",
                                          stream.msg == nullptr ? "no reason given" : stream.msg));
}

absl::StatusOr<std::vector<uint8_t>> Inflate(const std::string& path, size_t max_bytes,
                                             z_stream* stream) {
  std::vector<uint8_t> content;
  int result = Z_OK;
  while (result == Z_OK && content.size() < max_bytes) {
    const size_t before = content.size();
    const size_t chunk = std::min(kChunkBytes, max_bytes - before);
    content.resize(before + chunk);
    stream->next_out = content.data() + before;
    stream->avail_out = static_cast<uInt>(chunk);
    result = inflate(stream, Z_NO_FLUSH);
    content.resize(content.size() - stream->avail_out);
  }
  if (result != Z_OK) MIXFEED_RETURN_IF_ERROR(CheckEnd(path, *stream, result));
  return content;
}

}  // namespace

absl::StatusOr<std::vector<uint8_t>> ReadGzipStart(const std::string& path, int64_t max_bytes) {
  MIXFEED_ASSIGN_OR_RETURN(std::vector<uint8_t> file, ReadWholeFile(path, kMaxGzipBytes));
  z_stream stream{};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) {
    return absl::ResourceExhaustedError(absl::StrCat(path, ": no memory to inflate it"));
  }
  const std::unique_ptr<z_stream, decltype(&inflateEnd)> end(&stream, inflateEnd);
  stream.next_in = file.data();
  stream.avail_in = static_cast<uInt>(file.size());
  return CatchOutOfMemory(path, max_bytes,
                          [&] { return Inflate(path, static_cast<size_t>(max_bytes), &stream); });
}

}  // namespace mixfeed
