#ifndef MIXFEED_AUGMENT_GUESS_TORCH_WEIGHTS_H_
#define MIXFEED_AUGMENT_GUESS_TORCH_WEIGHTS_H_

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/weights/state_dict.h"

namespace at {
class Tensor;
}

// Weights as plain data and as LibTorch's tensors.
namespace mixfeed {

// A new tensor of the type, shape and memory layout of `like` with the values of `given`.
// InvalidArgument, naming the tensor, for another shape, integers in place of floating point
// numbers or the other way round, and what CheckStillFinite refuses.
absl::StatusOr<at::Tensor> ConvertWeight(const WeightTensor& given, const at::Tensor& like);

// InvalidArgument, naming the tensor and both types, where one of the finite values of `given` is
// none in the type of `converted`, which has them.
absl::Status CheckStillFinite(const std::string& name, const at::Tensor& given,
                              const at::Tensor& converted);

// The tensors in the safetensors form (state_dict.h). InvalidArgument for a type that it has not.
absl::StatusOr<std::string> WriteWeights(
    const std::vector<std::pair<std::string, at::Tensor>>& tensors);

// Whether `weights` are in the form in which WriteWeights has these tensors: only values differ.
bool AreInFormOf(const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                 const StateDict& weights);

// GuessModel::Average of a model with these `tensors`, of which those named in `parameters` are
// averaged.
absl::StatusOr<std::string> WriteAverage(std::vector<std::pair<std::string, at::Tensor>> tensors,
                                         const std::set<std::string>& parameters,
                                         const StateDict& average, double decay);

absl::Status MissingWeight(const std::string& name);
absl::Status UnknownWeight(const std::string& name);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_TORCH_WEIGHTS_H_
