#include "augment/pool/image_header.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace mixfeed {
namespace {

using Bytes = std::span<const uint8_t>;
using Result = absl::StatusOr<ImageSize>;

absl::Status CutOff(const char* format, size_t offset) {
  return absl::DataLossError(absl::StrCat(format, " ends at byte ", offset, ", before its end"));
}

// Unsigned numbers at `at`; the caller has checked that the bytes are there.
int64_t BigEndian(Bytes file, size_t at, size_t bytes) {
  int64_t value = 0;
  for (size_t i = 0; i < bytes; ++i) value = value << 8 | file[at + i];
  return value;
}
int32_t LittleEndian32(Bytes file, size_t at) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) value = value << 8 | file[at + i];
  return static_cast<int32_t>(value);
}

// Signature, then a chunk (length, "IHDR") that begins with width and height.
Result PngSize(Bytes file) {
  constexpr size_t kSizeAt = 16;
  if (file.size() < kSizeAt + 8) return CutOff("PNG", file.size());
  return ImageSize{BigEndian(file, kSizeAt, 4), BigEndian(file, kSizeAt + 4, 4)};
}

// File header, then a header with width and height, which is negative in top-down images.
Result BmpSize(Bytes file) {
  constexpr size_t kSizeAt = 18;
  if (file.size() < kSizeAt + 8) return CutOff("BMP", file.size());
  return ImageSize{LittleEndian32(file, kSizeAt),
                   std::abs(int64_t{LittleEndian32(file, kSizeAt + 4)})};
}

// Start-of-frame markers but for C4, C8 and CC, which mean other things.
bool IsStartOfFrame(uint8_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

// Segments of marker, length and content, up to the pixels, in which FF D9 is only the end marker.
Result JpegSize(Bytes file) {
  constexpr uint8_t kStartOfScan = 0xDA;
  constexpr uint8_t kEnd[] = {0xFF, 0xD9};
  ImageSize size;
  size_t at = 2;
  while (at + 9 <= file.size()) {
    if (file[at] != 0xFF)
      return absl::DataLossError(absl::StrCat("JPEG has no marker at byte ", at));
    const uint8_t marker = file[at + 1];
    if (marker == 0xFF) {  // padding
      ++at;
      continue;
    }
    if (IsStartOfFrame(marker)) size = {BigEndian(file, at + 7, 2), BigEndian(file, at + 5, 2)};
    at += 2 + static_cast<size_t>(BigEndian(file, at + 2, 2));
    if (marker != kStartOfScan) continue;
    const Bytes pixels = file.subspan(std::min(at, file.size()));
    if (std::search(pixels.begin(), pixels.end(), std::begin(kEnd), std::end(kEnd)) ==
        pixels.end()) {
      break;
    }
    return size;
  }
  return CutOff("JPEG", file.size());
}

// "P5" or "P6", then width and height as text, apart by white space and comments.
Result PnmSize(Bytes file) {
  int64_t numbers[2] = {0, 0};
  size_t at = 2;
  for (int64_t& number : numbers) {
    while (at < file.size() && (std::isspace(file[at]) || file[at] == '#')) {
      const bool comment = file[at] == '#';
      while (comment && at < file.size() && file[at] != '\n') ++at;
      at += at < file.size();
    }
    constexpr int64_t kEnough = 1'000'000'000;  // stops before the number overflows
    for (; at < file.size() && std::isdigit(file[at]) && number < kEnough; ++at) {
      number = 10 * number + (file[at] - '0');
    }
  }
  if (at >= file.size()) return CutOff("PGM or PPM", file.size());
  return ImageSize{numbers[0], numbers[1]};
}

struct Format {
  std::string_view magic;
  Result (*size)(Bytes file);
};

// To add a format that OpenCV decodes: a function that finds the size, and a line here.
constexpr Format kFormats[] = {
    {"\x89PNG\r\n\x1a\n", PngSize},
    {"\xFF\xD8", JpegSize},
    {"BM", BmpSize},
    {"P5", PnmSize},
    {"P6", PnmSize},
};

}  // namespace

absl::StatusOr<ImageSize> ReadImageSize(std::span<const uint8_t> file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  for (const Format& format : kFormats) {
    if (text.starts_with(format.magic)) return format.size(file);
  }
  return absl::DataLossError(
      "byte 0 begins no known format; allowed are PNG, JPEG, BMP, PGM and PPM");
}

}  // namespace mixfeed
