#ifndef MIXFEED_AUGMENT_WEIGHTS_STATE_DICT_H_
#define MIXFEED_AUGMENT_WEIGHTS_STATE_DICT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mixfeed {

enum class WeightType : uint8_t { kFloat64, kFloat32, kFloat16, kBfloat16, kInt64 };

// F64, F32, F16, BF16, I64, as recipe/enum_names.h has it.
std::span<const char* const> NamesOf(WeightType);

// Of one value.
size_t BytesOf(WeightType type);

struct WeightTensor {
  std::string name;  // as PyTorch's state_dict has it
  WeightType type = WeightType::kFloat32;
  std::vector<int64_t> shape;  // empty: a scalar; at most 64 dimensions
  // Row-major, little-endian, not aligned; points into what holds the bytes.
  std::span<const std::byte> data;
};

// A model's weights as plain data. Holds the bytes that its tensors point into; they stay where
// they are when it moves. Never changes, so that threads may share one.
class StateDict {
 public:
  // Reads the safetensors form (https://github.com/huggingface/safetensors): the length of the
  // header in 8 bytes, a JSON header {"name": {"dtype", "shape", "data_offsets"}, ...}, the data.
  // Stricter than its authors' reader: no key twice, no field that the form does not have, at most
  // 64 dimensions and 10,000 keys of "__metadata__", which is else ignored. InvalidArgument for
  // everything else, naming tensor and field. Takes memory in proportion to the size of the bytes,
  // whatever they say.
  static absl::StatusOr<StateDict> Parse(std::string safetensors);

  // In the order of their offsets.
  std::span<const WeightTensor> tensors() const { return tensors_; }

  // Null when there is none of that name. Valid as long as the StateDict stays where it is.
  const WeightTensor* Find(std::string_view name) const;

  // What was parsed.
  const std::string& bytes() const { return *bytes_; }

  // Whether bytes() are what WriteSafetensors gives of tensors().
  bool IsInWrittenForm() const;

  // bytes(), and ends the tensors with it.
  std::string TakeBytes() &&;

  // The same with the names that the tensors have in the model itself: without what PyTorch's
  // wrappers put in front of all names, "module." (DataParallel, DistributedDataParallel,
  // AveragedModel) and "_orig_mod." (torch.compile), any number of them. Drops the tensor
  // "n_averaged" that AveragedModel adds beside them. bytes() stay as they are.
  StateDict WithoutWrapperPrefixes() &&;

 private:
  StateDict(std::unique_ptr<std::string> bytes, std::vector<WeightTensor> tensors);

  std::unique_ptr<std::string> bytes_;
  std::vector<WeightTensor> tensors_;
  std::vector<size_t> by_name_;  // indices of tensors_
};

// Writes the safetensors form. The same tensors in any order give the same bytes, those that the
// form's authors' library writes: types in the order I64, F64, F32, BF16, F16, then names, so that
// a tensor's data are aligned. InvalidArgument for two tensors of one name, names that are not
// UTF-8 or are "__metadata__", and data that do not fit the shape.
absl::StatusOr<std::string> WriteSafetensors(std::span<const WeightTensor> tensors);

// InvalidArgument with the first tensor that has a value that is not finite, and its index there.
absl::Status CheckFinite(const StateDict& weights);

// XXH3-128 of the bytes, in 32 lower-case hex digits.
std::string DigestOf(std::string_view bytes);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_WEIGHTS_STATE_DICT_H_
