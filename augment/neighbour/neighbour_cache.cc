// The files of ReadNeighbourIndex and WriteNeighbourIndex: a header, the places, and the XXH3-64 of
// both.

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <limits>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "augment/base/memory.h"
#include "augment/base/status_macros.h"
#include "augment/neighbour/neighbour_index.h"
#include "augment/pool/file_io.h"

namespace mixfeed {
namespace {

static_assert(std::endian::native == std::endian::little, "files are stored as they lie in RAM");

struct Header {
  char magic[8] = {'m', 'i', 'x', 'f', 'n', 'e', 'a', 'r'};
  uint32_t version = 1;  // raised with the format, and with any change of what an index holds
  int32_t k = 0;
  uint64_t points_fingerprint = 0;
  uint64_t classes = 0;
  int64_t count = 0;
};
static_assert(sizeof(Header) == 40, "no padding, whose bytes would be anything");

using Checksum = uint64_t;

Header HeaderOf(const NeighbourKey& key, int64_t count) {
  Header header;
  header.k = key.k;
  header.points_fingerprint = key.points_fingerprint;
  header.classes = static_cast<uint64_t>(key.classes);
  header.count = count;
  return header;
}

std::string PathOf(const std::string& folder, const NeighbourKey& key) {
  constexpr const char* kNames[] = {"any", "same", "other"};
  return JoinPath(
      folder, absl::StrCat("neighbours-", absl::Hex(key.points_fingerprint, absl::kZeroPad16), "-k",
                           key.k, "-", kNames[static_cast<size_t>(key.classes)], ".bin"));
}

// Whether a file of `bytes`, a checksum included, is one of `key`; OK, or what is wrong with it.
absl::Status CheckFile(const std::vector<uint8_t>& bytes, const NeighbourKey& key) {
  if (bytes.size() < sizeof(Header) + sizeof(Checksum)) {
    return absl::DataLossError(absl::StrCat("has only ", bytes.size(), " bytes"));
  }
  const size_t checked = bytes.size() - sizeof(Checksum);
  Checksum checksum;
  std::memcpy(&checksum, bytes.data() + checked, sizeof(checksum));
  if (XXH3_64bits(bytes.data(), checked) != checksum) {
    return absl::DataLossError("is damaged: its checksum is wrong");
  }
  Header header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  const Header expected = HeaderOf(key, header.count);
  if (std::memcmp(&header, &expected, sizeof(header)) != 0) {
    return absl::DataLossError("is of another version or of other points");
  }
  // Divided and not multiplied, since a count may be anything.
  const auto places = static_cast<int64_t>((checked - sizeof(Header)) / sizeof(int32_t));
  const bool whole = (checked - sizeof(Header)) % sizeof(int32_t) == 0;
  if (!whole || header.k < 1 || header.count <= header.k || places % header.k != 0 ||
      places / header.k != header.count) {
    return absl::DataLossError(absl::StrCat("has ", bytes.size(), " bytes, which are not ",
                                            header.k, " neighbours of ", header.count, " points"));
  }
  return absl::OkStatus();
}

// The places of a file that CheckFile has passed.
absl::StatusOr<std::vector<int32_t>> PlacesIn(const std::vector<uint8_t>& bytes, int k) {
  std::vector<int32_t> places((bytes.size() - sizeof(Header) - sizeof(Checksum)) / sizeof(int32_t));
  std::memcpy(places.data(), bytes.data() + sizeof(Header), places.size() * sizeof(int32_t));
  const int64_t count = static_cast<int64_t>(places.size()) / k;
  const auto refused = std::find_if(places.begin(), places.end(),
                                    [count](int32_t place) { return place < 0 || place >= count; });
  if (refused == places.end()) return places;
  return absl::DataLossError(absl::StrCat("has place ", *refused, "; allowed: 0..", count - 1));
}

absl::StatusOr<std::vector<int32_t>> Decode(const std::vector<uint8_t>& bytes,
                                            const NeighbourKey& key) {
  MIXFEED_RETURN_IF_ERROR(CheckFile(bytes, key));
  return PlacesIn(bytes, key.k);
}

std::string Encode(const NeighbourKey& key, const NeighbourIndex& index) {
  const Header header = HeaderOf(key, index.count());
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof(header));
  bytes.append(reinterpret_cast<const char*>(index.places().data()), index.places().size_bytes());
  const Checksum checksum = XXH3_64bits(bytes.data(), bytes.size());
  bytes.append(reinterpret_cast<const char*>(&checksum), sizeof(checksum));
  return bytes;
}

}  // namespace

absl::StatusOr<NeighbourIndex> ReadNeighbourIndex(const std::string& folder,
                                                  const NeighbourKey& key) {
  const std::string path = PathOf(folder, key);
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes,
                           ReadWholeFile(path, std::numeric_limits<int64_t>::max()));
  absl::StatusOr<std::vector<int32_t>> places =
      CatchOutOfMemory("the neighbours in it", static_cast<int64_t>(bytes.size()),
                       [&] { return Decode(bytes, key); });
  if (places.ok()) return NeighbourIndex(key.k, *std::move(places));
  return absl::Status(places.status().code(), absl::StrCat(path, ": ", places.status().message()));
}

absl::Status WriteNeighbourIndex(const std::string& folder, const NeighbourKey& key,
                                 const NeighbourIndex& index) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return absl::InternalError(absl::StrCat(folder, ": cannot be created: ", error.message()));
  }
  return CatchOutOfMemory(
      "a file of neighbours", static_cast<int64_t>(index.places().size_bytes()),
      [&] { return WriteFileDurably(PathOf(folder, key), Encode(key, index)); });
}

}  // namespace mixfeed
