#include "augment/weights/state_dict.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <limits>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/weights/safetensors_header.h"

namespace mixfeed {
namespace {

static_assert(std::endian::native == std::endian::little, "weights are read as they lie in RAM");

// In the order of WeightType.
constexpr const char* kTypeNames[] = {"F64", "F32", "F16", "BF16", "I64"};
constexpr size_t kTypeBytes[] = {8, 4, 2, 2, 8};
constexpr int kWritingOrder[] = {1, 2, 4, 3, 0};

int WritingOrder(WeightType type) { return kWritingOrder[static_cast<size_t>(type)]; }

constexpr char kModulePrefix[] = "module.";
constexpr char kCompiledPrefix[] = "_orig_mod.";

std::string ShapeText(const WeightTensor& tensor) {
  return absl::StrCat("[", absl::StrJoin(tensor.shape, ", "), "]");
}

// The bytes that the tensor's shape asks for.
absl::StatusOr<uint64_t> BytesOfShape(const WeightTensor& tensor) {
  const auto wrong = [&](const std::string& given, const std::string& allowed) {
    return FieldError(absl::StrCat(TensorField(tensor.name), ": shape"), given, allowed);
  };
  if (tensor.shape.size() > kMaxWeightDimensions) {
    return wrong(absl::StrCat("of ", tensor.shape.size(), " dimensions"),
                 absl::StrCat("at most ", kMaxWeightDimensions));
  }
  auto bytes = static_cast<int64_t>(BytesOf(tensor.type));
  bool empty = false;
  for (const int64_t size : tensor.shape) {
    // An empty tensor's strides are products of its other sizes.
    const int64_t factor = std::max<int64_t>(size, 1);
    if (size < 0 || __builtin_mul_overflow(bytes, factor, &bytes)) {
      return wrong(ShapeText(tensor), "sizes from 0 that make less than 2^63 bytes");
    }
    empty = empty || size == 0;
  }
  return empty ? 0 : static_cast<uint64_t>(bytes);
}

absl::Status CheckDataBytes(const WeightTensor& tensor, uint64_t data_bytes) {
  MIXFEED_ASSIGN_OR_RETURN(const uint64_t bytes, BytesOfShape(tensor));
  if (data_bytes == bytes) return absl::OkStatus();
  return FieldError(absl::StrCat(TensorField(tensor.name), ": data"),
                    absl::StrCat(data_bytes, " bytes"),
                    absl::StrCat(bytes, ", as its shape ", ShapeText(tensor), " of ",
                                 kTypeNames[static_cast<size_t>(tensor.type)], " asks for"));
}

// The header's length, once it is known to lie in the file.
absl::StatusOr<size_t> HeaderBytes(const std::string& safetensors) {
  uint64_t bytes = 0;
  if (safetensors.size() < sizeof(bytes)) {
    return FieldError("safetensors: size", absl::StrCat(safetensors.size(), " bytes"),
                      absl::StrCat("at least ", sizeof(bytes), ", the length of the header"));
  }
  std::memcpy(&bytes, safetensors.data(), sizeof(bytes));
  const size_t most = std::min(kMaxSafetensorsHeaderBytes, safetensors.size() - sizeof(bytes));
  MIXFEED_RETURN_IF_ERROR(
      CheckRange<uint64_t>("safetensors: length of the header", bytes, 0, most));
  return static_cast<size_t>(bytes);
}

// Sorts the tensors by their offsets and gives them their data, which must be all of `data`,
// without holes and overlaps.
absl::StatusOr<std::vector<WeightTensor>> PlaceTensors(std::vector<SafetensorsEntry> entries,
                                                       std::span<const std::byte> data) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
                     return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
                   });
  std::vector<WeightTensor> tensors;
  tensors.reserve(entries.size());
  uint64_t placed = 0;
  for (SafetensorsEntry& entry : entries) {
    WeightTensor& tensor = entry.tensor;
    if (entry.begin != placed || entry.end < entry.begin || entry.end > data.size()) {
      return FieldError(absl::StrCat(TensorField(tensor.name), ": data_offsets"),
                        absl::StrCat("[", entry.begin, ", ", entry.end, "]"),
                        absl::StrCat("[", placed, ", END], without a hole or an overlap, and END ",
                                     "at most ", data.size()));
    }
    MIXFEED_RETURN_IF_ERROR(CheckDataBytes(tensor, entry.end - entry.begin));
    tensor.data = data.subspan(entry.begin, entry.end - entry.begin);
    placed = entry.end;
    tensors.push_back(std::move(tensor));
  }
  if (placed == data.size()) return tensors;
  return FieldError("safetensors: data", absl::StrCat(data.size(), " bytes"),
                    absl::StrCat(placed, ", where the last tensor ends"));
}

absl::Status TwiceError(const std::string& name) {
  return FieldError(TensorField(name), "there twice", "every name once");
}

// A value that is not finite.
struct Oddity {
  size_t index;
  const char* text;
};

// Numbers that are looked at together: without a branch a number, compilers make vectors of it.
constexpr size_t kOddityBlock = 1024;

// The first in `data`, numbers of so many bits whose exponents are these bits.
template <typename Bits>
std::optional<Oddity> FindOddity(std::span<const std::byte> data, Bits exponent) {
  constexpr auto kSign = static_cast<Bits>(Bits{1} << (std::numeric_limits<Bits>::digits - 1));
  const auto bits_at = [&](size_t i) {
    Bits bits = 0;
    std::memcpy(&bits, data.data() + i * sizeof(Bits), sizeof(Bits));
    return bits;
  };
  const size_t count = data.size() / sizeof(Bits);
  for (size_t begin = 0; begin < count; begin += kOddityBlock) {
    const size_t end = std::min(count, begin + kOddityBlock);
    Bits odd = 0;
    for (size_t i = begin; i < end; ++i) {
      odd |= static_cast<Bits>((bits_at(i) & exponent) == exponent);
    }
    if (odd == 0) continue;
    for (size_t i = begin; i < end; ++i) {
      const Bits bits = bits_at(i);
      if ((bits & exponent) != exponent) continue;
      if ((bits & ~kSign) != exponent) return Oddity{i, "nan"};
      return Oddity{i, bits == exponent ? "inf" : "-inf"};
    }
  }
  return std::nullopt;
}

std::optional<Oddity> FindOddity(const WeightTensor& tensor) {
  switch (tensor.type) {
    case WeightType::kFloat64:
      return FindOddity<uint64_t>(tensor.data, 0x7FF0'0000'0000'0000);
    case WeightType::kFloat32:
      return FindOddity<uint32_t>(tensor.data, 0x7F80'0000);
    case WeightType::kFloat16:
      return FindOddity<uint16_t>(tensor.data, 0x7C00);
    case WeightType::kBfloat16:
      return FindOddity<uint16_t>(tensor.data, 0x7F80);
    case WeightType::kInt64:
      return std::nullopt;
  }
  return std::nullopt;
}

// AveragedModel's count of the models in its average, named so behind the first `skip` bytes.
bool IsAverageCount(const WeightTensor& tensor, size_t skip) {
  return tensor.type == WeightType::kInt64 && tensor.shape.empty() &&
         std::string_view(tensor.name).substr(skip) == "n_averaged";
}

// Whether a name goes on with `prefix` behind its first `skip` bytes, and not only with that.
bool HasPrefix(const WeightTensor& tensor, size_t skip, std::string_view prefix) {
  const std::string_view rest = std::string_view(tensor.name).substr(skip);
  return rest.starts_with(prefix) && rest.size() > prefix.size();
}

// The length of the wrappers' prefix that all names have behind the first `skip` bytes, which they
// share; 0 when there is none. Drops the count that stands beside a prefix.
size_t StripPrefix(size_t skip, std::vector<WeightTensor>* tensors) {
  const auto count = [&](auto is) {
    return static_cast<size_t>(std::count_if(tensors->begin(), tensors->end(), is));
  };
  for (const std::string_view prefix : {kModulePrefix, kCompiledPrefix}) {
    const auto is_count = [&](const WeightTensor& tensor) {
      return prefix == kModulePrefix && IsAverageCount(tensor, skip);
    };
    const size_t named =
        count([&](const WeightTensor& tensor) { return HasPrefix(tensor, skip, prefix); });
    if (named == 0 || named + count(is_count) < tensors->size()) continue;
    std::erase_if(*tensors, is_count);
    return prefix.size();
  }
  return 0;
}

std::vector<size_t> OrderByName(std::span<const WeightTensor> tensors) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return tensors[a].name < tensors[b].name; });
  return order;
}

// Whether the tensors can be written.
absl::Status CheckTensors(std::span<const WeightTensor> tensors) {
  std::set<std::string_view> names;
  for (const WeightTensor& tensor : tensors) {
    if (tensor.name == kMetadataKey || !IsUtf8(tensor.name)) {
      return FieldError(TensorField(tensor.name), "no name for a tensor",
                        absl::StrCat("UTF-8 other than ", kMetadataKey));
    }
    if (!names.insert(tensor.name).second) return TwiceError(tensor.name);
    MIXFEED_RETURN_IF_ERROR(CheckDataBytes(tensor, tensor.data.size()));
  }
  return absl::OkStatus();
}

std::vector<const WeightTensor*> InWritingOrder(std::span<const WeightTensor> tensors) {
  std::vector<const WeightTensor*> order;
  order.reserve(tensors.size());
  for (const WeightTensor& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const WeightTensor* a, const WeightTensor* b) {
    return std::pair(WritingOrder(a->type), std::string_view(a->name)) <
           std::pair(WritingOrder(b->type), std::string_view(b->name));
  });
  return order;
}

}  // namespace

std::span<const char* const> NamesOf(WeightType) { return kTypeNames; }

size_t BytesOf(WeightType type) { return kTypeBytes[static_cast<size_t>(type)]; }

StateDict::StateDict(std::unique_ptr<std::string> bytes, std::vector<WeightTensor> tensors)
    : bytes_(std::move(bytes)), tensors_(std::move(tensors)), by_name_(OrderByName(tensors_)) {}

absl::StatusOr<StateDict> StateDict::Parse(std::string safetensors) {
  auto bytes = std::make_unique<std::string>(std::move(safetensors));
  MIXFEED_ASSIGN_OR_RETURN(const size_t header_bytes, HeaderBytes(*bytes));
  const size_t data_begin = sizeof(uint64_t) + header_bytes;
  MIXFEED_ASSIGN_OR_RETURN(
      std::vector<SafetensorsEntry> entries,
      ReadSafetensorsHeader(std::string_view(*bytes).substr(sizeof(uint64_t), header_bytes)));
  const std::span<const std::byte> data = std::as_bytes(std::span(*bytes)).subspan(data_begin);
  MIXFEED_ASSIGN_OR_RETURN(std::vector<WeightTensor> tensors,
                           PlaceTensors(std::move(entries), data));
  StateDict weights(std::move(bytes), std::move(tensors));
  const auto same_name = [&](size_t a, size_t b) {
    return weights.tensors_[a].name == weights.tensors_[b].name;
  };
  const std::vector<size_t>& order = weights.by_name_;
  const auto twice = std::adjacent_find(order.begin(), order.end(), same_name);
  if (twice != order.end()) return TwiceError(weights.tensors_[*twice].name);
  return weights;
}

const WeightTensor* StateDict::Find(std::string_view name) const {
  const auto found = std::lower_bound(
      by_name_.begin(), by_name_.end(), name,
      [&](size_t i, std::string_view wanted) { return tensors_[i].name < wanted; });
  if (found == by_name_.end() || tensors_[*found].name != name) return nullptr;
  return &tensors_[*found];
}

bool StateDict::IsInWrittenForm() const {
  const std::string header = WriteSafetensorsHeader(InWritingOrder(tensors_));
  const absl::StatusOr<size_t> header_bytes = HeaderBytes(*bytes_);
  return header_bytes.ok() && *header_bytes == header.size() &&
         std::string_view(*bytes_).substr(sizeof(uint64_t)).starts_with(header);
}

std::string StateDict::TakeBytes() && { return std::move(*bytes_); }

StateDict StateDict::WithoutWrapperPrefixes() && {
  size_t skip = 0;
  while (const size_t prefix = StripPrefix(skip, &tensors_)) skip += prefix;
  for (WeightTensor& tensor : tensors_) tensor.name.erase(0, skip);
  return StateDict(std::move(bytes_), std::move(tensors_));
}

absl::StatusOr<std::string> WriteSafetensors(std::span<const WeightTensor> tensors) {
  MIXFEED_RETURN_IF_ERROR(CheckTensors(tensors));
  const std::vector<const WeightTensor*> order = InWritingOrder(tensors);
  const std::string header = WriteSafetensorsHeader(order);
  MIXFEED_RETURN_IF_ERROR(CheckRange<size_t>("safetensors: length of the header", header.size(), 0,
                                             kMaxSafetensorsHeaderBytes));
  const auto header_bytes = uint64_t{header.size()};
  size_t size = sizeof(header_bytes) + header.size();
  for (const WeightTensor* tensor : order) size += tensor->data.size();
  std::string bytes;
  bytes.reserve(size);
  bytes.append(reinterpret_cast<const char*>(&header_bytes), sizeof(header_bytes));
  bytes += header;
  for (const WeightTensor* tensor : order) {
    bytes.append(reinterpret_cast<const char*>(tensor->data.data()), tensor->data.size());
  }
  return bytes;
}

absl::Status CheckFinite(const StateDict& weights) {
  for (const WeightTensor& tensor : weights.tensors()) {
    const std::optional<Oddity> oddity = FindOddity(tensor);
    if (!oddity) continue;
    return FieldError(absl::StrCat(TensorField(tensor.name), ": value ", oddity->index),
                      oddity->text, "finite numbers");
  }
  return absl::OkStatus();
}

std::string DigestOf(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return absl::StrFormat("%016x%016x", hash.high64, hash.low64);
}

}  // namespace mixfeed
