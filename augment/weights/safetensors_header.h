#ifndef MIXFEED_AUGMENT_WEIGHTS_SAFETENSORS_HEADER_H_
#define MIXFEED_AUGMENT_WEIGHTS_SAFETENSORS_HEADER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/weights/state_dict.h"

// The JSON header of the safetensors form; private to this folder (state_dict.h).
namespace mixfeed {

inline constexpr size_t kMaxSafetensorsHeaderBytes = 100'000'000;  // the authors' reader's limit
inline constexpr size_t kMaxMetadataKeys = 10'000;
inline constexpr size_t kMaxWeightDimensions = 64;  // NumPy's limit
inline constexpr char kMetadataKey[] = "__metadata__";

struct SafetensorsEntry {
  WeightTensor tensor;  // without data
  uint64_t begin = 0;   // its data's offsets
  uint64_t end = 0;
};

// What the header says of its tensors, in its order. Whether names are there twice, and whether
// shapes and offsets fit each other and the data, is for the caller to check. InvalidArgument for
// everything else that is wrong.
absl::StatusOr<std::vector<SafetensorsEntry>> ReadSafetensorsHeader(std::string_view json);

// The header of these tensors, whose data follow each other in this order, padded to whole 8 bytes.
std::string WriteSafetensorsHeader(std::span<const WeightTensor* const> tensors);

// Whether a header can name a tensor so.
bool IsUtf8(const std::string& name);

// "safetensors: tensor 'NAME'", for messages: of printable characters and not too long.
std::string TensorField(std::string_view name);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_WEIGHTS_SAFETENSORS_HEADER_H_
