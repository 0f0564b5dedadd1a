// clang 14 needs IValue to be complete before anything else of ATen.
#include <ATen/core/ivalue.h>
//
#include <ATen/ATen.h>

#include <cstdint>
#include <cstring>
#include <deque>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/guess/torch_weights.h"

namespace mixfeed {
namespace {

struct TypePair {
  WeightType weight;
  at::ScalarType scalar;
};
constexpr TypePair kTypes[] = {
    {WeightType::kFloat64, at::kDouble}, {WeightType::kFloat32, at::kFloat},
    {WeightType::kFloat16, at::kHalf},   {WeightType::kBfloat16, at::kBFloat16},
    {WeightType::kInt64, at::kLong},
};

at::ScalarType ScalarTypeOf(WeightType type) {
  for (const TypePair& pair : kTypes) {
    if (pair.weight == type) return pair.scalar;
  }
  return at::ScalarType::Undefined;
}

std::optional<WeightType> WeightTypeOf(at::ScalarType type) {
  for (const TypePair& pair : kTypes) {
    if (pair.scalar == type) return pair.weight;
  }
  return std::nullopt;
}

absl::Status CheckFits(const WeightTensor& given, const at::Tensor& like) {
  if (like.sizes() != at::IntArrayRef(given.shape)) {
    return absl::InvalidArgumentError(
        absl::StrCat("weights: ", given.name, " has shape [", absl::StrJoin(given.shape, ", "),
                     "]; the network's has [", absl::StrJoin(like.sizes(), ", "), "]"));
  }
  const bool floating = given.type != WeightType::kInt64;
  if (floating == at::isFloatingType(like.scalar_type())) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("weights: ", given.name, " holds ", c10::toString(ScalarTypeOf(given.type)),
                   "; the network's holds ", c10::toString(like.scalar_type()),
                   "; allowed: ", floating ? "integers" : "floating point numbers"));
}

// The given values; valid as long as they are, unless they had to be copied.
at::Tensor TensorOver(const WeightTensor& given) {
  const at::ScalarType type = ScalarTypeOf(given.type);
  void* const data = const_cast<std::byte*>(given.data.data());  // which nobody writes to
  if (reinterpret_cast<uintptr_t>(data) % BytesOf(given.type) == 0) {
    return at::from_blob(data, given.shape, type);
  }
  at::Tensor values = at::empty(given.shape, type);
  std::memcpy(values.data_ptr(), data, given.data.size());
  return values;
}

// Whether a kernel's 32-bit values lie channels last. Of large networks' kernels, LibTorch's own
// copy between this layout and row-major takes ten milliseconds.
bool HasWordsChannelsLast(const at::Tensor& tensor) {
  return tensor.dim() == 4 && !tensor.is_contiguous() &&
         tensor.is_contiguous(at::MemoryFormat::ChannelsLast) &&
         tensor.element_size() == sizeof(uint32_t);
}

// `count` matrices, row-major [rows][columns], to [columns][rows].
void Transpose(const uint32_t* from, int64_t count, int64_t rows, int64_t columns, uint32_t* to) {
  for (int64_t matrix = 0; matrix < count; ++matrix) {
    for (int64_t c = 0; c < columns; ++c) {
      for (int64_t r = 0; r < rows; ++r) to[c * rows + r] = from[r * columns + c];
    }
    from += rows * columns;
    to += rows * columns;
  }
}

at::Tensor RowMajor(const at::Tensor& tensor) {
  if (!HasWordsChannelsLast(tensor)) return tensor.contiguous();
  at::Tensor rows = at::empty(tensor.sizes(), tensor.scalar_type());
  Transpose(static_cast<const uint32_t*>(tensor.data_ptr()), tensor.size(0),
            tensor.size(2) * tensor.size(3), tensor.size(1),
            static_cast<uint32_t*>(rows.data_ptr()));
  return rows;
}

// Gives `to` the values of `from`, which is row-major.
void CopyRowMajor(const at::Tensor& from, at::Tensor* to) {
  if (from.scalar_type() != to->scalar_type() || !HasWordsChannelsLast(*to)) {
    to->copy_(from);
    return;
  }
  Transpose(static_cast<const uint32_t*>(from.data_ptr()), to->size(0), to->size(1),
            to->size(2) * to->size(3), static_cast<uint32_t*>(to->data_ptr()));
}

}  // namespace

absl::StatusOr<at::Tensor> ConvertWeight(const WeightTensor& given, const at::Tensor& like) {
  MIXFEED_RETURN_IF_ERROR(CheckFits(given, like));
  at::Tensor converted = at::empty_like(like);
  if (given.data.empty()) return converted;
  const at::Tensor values = TensorOver(given);
  CopyRowMajor(values, &converted);
  MIXFEED_RETURN_IF_ERROR(CheckStillFinite(given.name, values, converted));
  return converted;
}

absl::Status CheckStillFinite(const std::string& name, const at::Tensor& given,
                              const at::Tensor& converted) {
  if (given.scalar_type() == converted.scalar_type() || converted.isfinite().all().item<bool>()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("weights: ", name, " has values of ", c10::toString(given.scalar_type()),
                   " that are infinite as ", c10::toString(converted.scalar_type()),
                   ", which the network holds; allowed: at most the largest of that type"));
}

absl::StatusOr<std::string> WriteWeights(
    const std::vector<std::pair<std::string, at::Tensor>>& tensors) {
  std::vector<WeightTensor> written;
  std::deque<at::Tensor> rows;  // keeps the memory that `written` points into
  for (const auto& [name, tensor] : tensors) {
    const std::optional<WeightType> type = WeightTypeOf(tensor.scalar_type());
    if (!type.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat("weights: ", name, " holds ",
                                                     c10::toString(tensor.scalar_type()),
                                                     ", which cannot be written"));
    }
    const at::Tensor& row = rows.emplace_back(RowMajor(tensor));
    written.push_back({.name = name,
                       .type = *type,
                       .shape = row.sizes().vec(),
                       .data = {static_cast<const std::byte*>(row.data_ptr()), row.nbytes()}});
  }
  return WriteSafetensors(written);
}

bool AreInFormOf(const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                 const StateDict& weights) {
  if (weights.tensors().size() != tensors.size()) return false;
  for (const auto& [name, tensor] : tensors) {
    const WeightTensor* const given = weights.Find(name);
    if (given == nullptr || tensor.sizes() != at::IntArrayRef(given->shape) ||
        WeightTypeOf(tensor.scalar_type()) != given->type) {
      return false;
    }
  }
  return weights.IsInWrittenForm();
}

absl::StatusOr<std::string> WriteAverage(std::vector<std::pair<std::string, at::Tensor>> tensors,
                                         const std::set<std::string>& parameters,
                                         const StateDict& average, double decay) {
  MIXFEED_RETURN_IF_ERROR(CheckRange("decay", decay, 0.0, 1.0));
  for (auto& [name, tensor] : tensors) {
    if (parameters.count(name) == 0 || !at::isFloatingType(tensor.scalar_type())) continue;
    const WeightTensor* const before = average.Find(name);
    if (before == nullptr) return MissingWeight(name);
    MIXFEED_RETURN_IF_ERROR(CheckFits(*before, tensor));
    const at::ScalarType kept = at::promote_types(tensor.scalar_type(), at::kFloat);
    if (tensor.numel() == 0) continue;  // TensorOver needs something to point to
    tensor = (TensorOver(*before).to(at::kDouble) * decay + tensor.to(at::kDouble) * (1 - decay))
                 .to(kept);
  }
  return WriteWeights(tensors);
}

absl::Status MissingWeight(const std::string& name) {
  return absl::InvalidArgumentError(absl::StrCat("weights: no tensor '", name, "'"));
}

absl::Status UnknownWeight(const std::string& name) {
  return absl::InvalidArgumentError(
      absl::StrCat("weights: unknown tensor '", name, "'; are these another network's?"));
}

}  // namespace mixfeed
