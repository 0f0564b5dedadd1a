#include "augment/pool/image_header.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/pool/byte_order.h"

namespace mixfeed {
namespace {

using Bytes = std::span<const uint8_t>;
using Result = absl::StatusOr<ImageSize>;

absl::Status CutOff(const char* format, size_t offset) {
  return absl::DataLossError(absl::StrCat(format, " ends at byte ", offset, ", before its end"));
}

// InvalidArgument for too large an image, DataLoss for one without pixels.
absl::Status CheckPixels(const ImageSize& size) {
  if (size.width < 1 || size.height < 1) {
    return absl::DataLossError(absl::StrCat("declares ", size.width, "x", size.height, " pixels"));
  }
  if (size.width <= kMaxImagePixels / size.height) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("has ", size.width, "x", size.height,
                                                 " pixels; allowed are up to ", kMaxImagePixels));
}

// The caller has checked that the bytes are there.
int32_t LittleEndian32(Bytes file, size_t at) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) value = value << 8 | file[at + i];
  return static_cast<int32_t>(value);
}

// OK when the file has the `needed` bytes that its header speaks of.
absl::Status CheckLength(const char* format, Bytes file, int64_t needed) {
  const auto size = static_cast<int64_t>(file.size());
  if (size >= needed) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(format, " ends at byte ", size, " of ", needed));
}

// Signature, then chunks of length, name, content and checksum. The first, IHDR, begins with width
// and height; the last is IEND.
Result PngSize(Bytes file) {
  constexpr size_t kChunksAt = 8;
  constexpr size_t kSizeAt = 16;
  constexpr size_t kAroundContent = 12;
  constexpr std::string_view kEnd = "IEND";
  MIXFEED_RETURN_IF_ERROR(CheckLength("PNG", file, kSizeAt + 8));
  const ImageSize size = {BigEndian(file, kSizeAt, 4), BigEndian(file, kSizeAt + 4, 4)};
  MIXFEED_RETURN_IF_ERROR(CheckPixels(size));
  size_t at = kChunksAt;
  while (at + kAroundContent <= file.size()) {
    const auto content = static_cast<size_t>(BigEndian(file, at, 4));
    const bool last =
        std::equal(kEnd.begin(), kEnd.end(), file.begin() + static_cast<ptrdiff_t>(at) + 4);
    at += kAroundContent + content;
    MIXFEED_RETURN_IF_ERROR(CheckLength("PNG", file, static_cast<int64_t>(at)));
    if (last) return size;
  }
  return CutOff("PNG", file.size());
}

// File header, then a header with width and height, which is negative in top-down images. The
// pixels begin where the file header says; rows of uncompressed ones are rounded up to 4 bytes.
Result BmpSize(Bytes file) {
  constexpr size_t kPixelsAt = 10;
  constexpr size_t kSizeAt = 18;
  constexpr size_t kBitsAt = 28;
  constexpr size_t kCompressionAt = 30;
  MIXFEED_RETURN_IF_ERROR(CheckLength("BMP", file, kSizeAt + 8));
  const ImageSize size = {LittleEndian32(file, kSizeAt),
                          std::abs(int64_t{LittleEndian32(file, kSizeAt + 4)})};
  MIXFEED_RETURN_IF_ERROR(CheckPixels(size));
  MIXFEED_RETURN_IF_ERROR(CheckLength("BMP", file, kCompressionAt + 4));
  if (LittleEndian32(file, kCompressionAt) != 0) return size;
  const int64_t bits = LittleEndian32(file, kBitsAt) & 0xFFFF;
  const int64_t row_bytes = (size.width * bits + 31) / 32 * 4;
  const int64_t begin = uint32_t(LittleEndian32(file, kPixelsAt));
  MIXFEED_RETURN_IF_ERROR(CheckLength("BMP", file, begin + row_bytes * size.height));
  return size;
}

// Markers that stand alone: TEM, and the restart markers. The others have a length.
bool StandsAlone(uint8_t marker) { return marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7); }

// Start-of-frame markers but for C4, C8 and CC, which mean other things.
bool IsStartOfFrame(uint8_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

// Segments of marker, length and content, up to the pixels, in which FF D9 is only the end marker.
Result JpegSize(Bytes file) {
  constexpr uint8_t kStartOfScan = 0xDA;
  constexpr uint8_t kEnd[] = {0xFF, 0xD9};
  ImageSize size;
  bool framed = false;
  size_t at = 2;
  while (at + 9 <= file.size()) {
    if (file[at] != 0xFF)
      return absl::DataLossError(absl::StrCat("JPEG has no marker at byte ", at));
    const uint8_t marker = file[at + 1];
    if (marker == 0xFF) {  // padding
      ++at;
      continue;
    }
    if (StandsAlone(marker)) {
      at += 2;
      continue;
    }
    if (IsStartOfFrame(marker)) {
      // A decoder might go by the second one, whose size nobody has looked at.
      if (framed) {
        return absl::DataLossError(absl::StrCat("JPEG has a second frame header at byte ", at));
      }
      framed = true;
      size = {BigEndian(file, at + 7, 2), BigEndian(file, at + 5, 2)};
    }
    at += 2 + static_cast<size_t>(BigEndian(file, at + 2, 2));
    if (marker != kStartOfScan) continue;
    const Bytes pixels = file.subspan(std::min(at, file.size()));
    const auto end = std::search(pixels.begin(), pixels.end(), std::begin(kEnd), std::end(kEnd));
    if (end == pixels.end()) break;
    MIXFEED_RETURN_IF_ERROR(CheckPixels(size));
    return size;
  }
  return CutOff("JPEG", file.size());
}

// "P5" or "P6", then width, height and the largest value as text, apart by white space and
// comments; one white space; pixels of one byte a channel, or two for values above 255.
Result PnmSize(Bytes file) {
  int64_t numbers[3] = {0, 0, 0};
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
  const ImageSize size = {numbers[0], numbers[1]};
  if (at < file.size()) MIXFEED_RETURN_IF_ERROR(CheckPixels(size));
  const int64_t pixel_bytes = int64_t{file[1] == '6' ? 3 : 1} * (numbers[2] > 255 ? 2 : 1);
  const int64_t begin = static_cast<int64_t>(at) + 1;
  if (begin > static_cast<int64_t>(file.size())) return CutOff("PGM or PPM", file.size());
  MIXFEED_RETURN_IF_ERROR(
      CheckLength("PGM or PPM", file, begin + size.width * size.height * pixel_bytes));
  return size;
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
