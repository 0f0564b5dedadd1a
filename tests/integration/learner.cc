#include "tests/integration/learner.h"

// clang 14 needs IValue to be complete before anything else of ATen.
#include <ATen/core/ivalue.h>
//
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/script.h>

#include <cmath>
#include <deque>
#include <sstream>

#include "augment/weights/state_dict.h"

namespace mixfeed::testing {
namespace {

using torch::jit::Module;

constexpr int64_t kSide = 32;
constexpr int64_t kColours = 3;
constexpr int64_t kWidths[] = {kColours, 8, 16};
constexpr size_t kLayers = std::size(kWidths) - 1;

constexpr double kNormEpsilon = 1e-3;
constexpr double kMomentum = 1e-3;  // PyTorch's; TensorFlow calls it 0.999
constexpr double kSlope = 0.1;
constexpr double kRate = 0.002;
constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kAdamEpsilon = 1e-8;
constexpr double kDecay = 0.02;

// One convolution with its batch norm.
struct Layer {
  at::Tensor kernel, scale, shift, mean, variance;
};

at::Tensor Normal(at::IntArrayRef shape, double deviation, at::Generator random,
                  at::ScalarType type) {
  // Drawn as float32, so that both precisions begin with the same numbers.
  return at::empty(shape, at::kFloat).normal_(0, deviation, std::move(random)).to(type);
}

constexpr char kConvolutionForward[] = R"(
def forward(self, x):
    return torch.conv2d(x, self.weight, None, [2, 2], [1, 1])
)";

constexpr char kNormForward[] = R"(
def forward(self, x):
    return torch.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var,
                            self.training, 0.001, 0.001, False)
)";

constexpr char kForward[] = R"(
def forward(self, x):
    x = x.type_as(self.weight)
    x = torch.leaky_relu(self.norm0.forward(self.conv0.forward(x)), 0.1)
    x = torch.leaky_relu(self.norm1.forward(self.conv1.forward(x)), 0.1)
    return torch.linear(torch.mean(x, [2, 3]), self.weight, self.bias)
)";

Module ConvolutionModule(const at::Tensor& kernel) {
  Module module("Conv2d");
  module.register_parameter("weight", kernel.detach().clone(), /*is_buffer=*/false);
  module.define(kConvolutionForward);
  return module;
}

Module NormModule(const Layer& layer) {
  Module module("BatchNorm2d");
  module.register_parameter("weight", layer.scale.detach().clone(), /*is_buffer=*/false);
  module.register_parameter("bias", layer.shift.detach().clone(), /*is_buffer=*/false);
  module.register_buffer("running_mean", layer.mean.clone());
  module.register_buffer("running_var", layer.variance.clone());
  if (!module.hasattr("training")) {
    module.register_attribute("training", c10::BoolType::get(), true);
  }
  module.define(kNormForward);
  return module;
}

// Mean of a row's cross-entropy with a soft target.
at::Tensor CrossEntropy(const at::Tensor& logits, const at::Tensor& targets) {
  return -(targets * at::log_softmax(logits, 1)).sum(1).mean();
}

}  // namespace

struct Learner::Impl {
  at::ScalarType type = at::kFloat;
  Layer layers[kLayers];
  at::Tensor head, bias;
  std::vector<at::Tensor> first_moments, second_moments;  // one of each parameter
  int64_t updates = 0;

  std::vector<at::Tensor*> Parameters() {
    std::vector<at::Tensor*> parameters;
    for (Layer& layer : layers) {
      parameters.insert(parameters.end(), {&layer.kernel, &layer.scale, &layer.shift});
    }
    parameters.insert(parameters.end(), {&head, &bias});
    return parameters;
  }

  // Under the names of the archive.
  std::vector<std::pair<std::string, at::Tensor>> Named() const {
    std::vector<std::pair<std::string, at::Tensor>> named;
    for (size_t i = 0; i < kLayers; ++i) {
      const std::string norm = "norm" + std::to_string(i) + ".";
      named.emplace_back("conv" + std::to_string(i) + ".weight", layers[i].kernel);
      named.emplace_back(norm + "weight", layers[i].scale);
      named.emplace_back(norm + "bias", layers[i].shift);
      named.emplace_back(norm + "running_mean", layers[i].mean);
      named.emplace_back(norm + "running_var", layers[i].variance);
    }
    named.emplace_back("weight", head);
    named.emplace_back("bias", bias);
    return named;
  }

  at::Tensor Images(std::span<const float> pixels, size_t rows) const {
    return at::from_blob(const_cast<float*>(pixels.data()),
                         {static_cast<int64_t>(rows), kColours, kSide, kSide}, at::kFloat)
        .to(type);
  }

  // With batch statistics. `moved`: the running ones after this pass; nothing where they stay.
  at::Tensor Logits(at::Tensor x, std::vector<at::Tensor>* moved) const {
    for (const Layer& layer : layers) {
      at::Tensor mean, variance;
      if (moved != nullptr) {
        mean = moved->emplace_back(layer.mean.clone());
        variance = moved->emplace_back(layer.variance.clone());
      }
      x = at::conv2d(x, layer.kernel, {}, 2, 1);
      x = at::batch_norm(x, layer.scale, layer.shift, mean, variance, /*training=*/true, kMomentum,
                         kNormEpsilon, /*cudnn_enabled=*/false);
      x = at::leaky_relu(x, kSlope);
    }
    return at::linear(x.mean({2, 3}), head, bias);
  }

  // The gradient of each parameter.
  std::vector<at::Tensor> Gradients(const LearnerBatch& batch, std::vector<at::Tensor>* moved) {
    const size_t rows = batch.row.size();
    const auto group = static_cast<int64_t>(batch.labelled);
    const auto targets = at::from_blob(const_cast<float*>(batch.targets.data()),
                                       {static_cast<int64_t>(rows), head.size(0)}, at::kFloat)
                             .to(type);
    std::vector<int64_t> found(rows);  // where a place's row is
    for (size_t i = 0; i < rows; ++i) found[batch.row[i]] = static_cast<int64_t>(i);
    const at::Tensor order = at::tensor(found);

    std::vector<at::Tensor> leaves;
    for (at::Tensor* const parameter : Parameters()) {
      *parameter = parameter->detach().requires_grad_(true);
      leaves.push_back(*parameter);
    }
    const at::Tensor images = Images(batch.pixels, rows);
    std::vector<at::Tensor> logits;
    for (int64_t begin = 0; begin < static_cast<int64_t>(rows); begin += group) {
      logits.push_back(Logits(images.narrow(0, begin, group), begin == 0 ? moved : nullptr));
    }
    const at::Tensor all = at::cat(logits).index_select(0, order);
    const at::Tensor wanted = targets.index_select(0, order);
    const auto rest = static_cast<int64_t>(rows) - group;
    const at::Tensor loss = CrossEntropy(all.narrow(0, 0, group), wanted.narrow(0, 0, group)) +
                            batch.unlabelled_weight * (at::softmax(all.narrow(0, group, rest), 1) -
                                                       wanted.narrow(0, group, rest))
                                                          .square()
                                                          .mean();
    std::vector<at::Tensor> gradients = torch::autograd::grad({loss}, leaves);
    for (at::Tensor* const parameter : Parameters()) *parameter = parameter->detach();
    return gradients;
  }
};

Learner::Learner(Precision precision, int classes, unsigned seed)
    : impl_(std::make_unique<Impl>()) {
  at::set_num_threads(1);
  Impl& own = *impl_;
  own.type = precision == Precision::kFloat64 ? at::kDouble : at::kFloat;
  const at::Generator random = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (size_t i = 0; i < kLayers; ++i) {
    const int64_t in = kWidths[i], out = kWidths[i + 1];
    own.layers[i].kernel =
        Normal({out, in, 3, 3}, std::sqrt(2.0 / static_cast<double>(9 * in)), random, own.type);
    own.layers[i].scale = at::ones({out}, own.type);
    own.layers[i].shift = at::zeros({out}, own.type);
    own.layers[i].mean = at::zeros({out}, own.type);
    own.layers[i].variance = at::ones({out}, own.type);
  }
  own.head = Normal({classes, kWidths[kLayers]}, 0.5, random, own.type);
  own.bias = at::zeros({classes}, own.type);
  for (const at::Tensor* const parameter : own.Parameters()) {
    own.first_moments.push_back(at::zeros_like(*parameter));
    own.second_moments.push_back(at::zeros_like(*parameter));
  }
}

Learner::Learner(const Learner& other) : impl_(std::make_unique<Impl>(*other.impl_)) {
  for (Layer& layer : impl_->layers) {
    layer.mean = layer.mean.clone();
    layer.variance = layer.variance.clone();
  }
  for (at::Tensor* const parameter : impl_->Parameters()) *parameter = parameter->clone();
  for (auto* const moments : {&impl_->first_moments, &impl_->second_moments}) {
    for (at::Tensor& moment : *moments) moment = moment.clone();
  }
}

Learner::~Learner() = default;

std::string Learner::Archive() const {
  Module module("Model");
  for (size_t i = 0; i < kLayers; ++i) {
    module.register_module("conv" + std::to_string(i), ConvolutionModule(impl_->layers[i].kernel));
    module.register_module("norm" + std::to_string(i), NormModule(impl_->layers[i]));
  }
  module.register_parameter("weight", impl_->head.clone(), /*is_buffer=*/false);
  module.register_parameter("bias", impl_->bias.clone(), /*is_buffer=*/false);
  module.define(kForward);
  std::ostringstream stream;
  module.save(stream);
  return stream.str();
}

std::string Learner::Weights() const {
  std::vector<WeightTensor> tensors;
  const auto named = impl_->Named();
  for (const auto& [name, tensor] : named) {
    tensors.push_back(
        {.name = name,
         .type = impl_->type == at::kDouble ? WeightType::kFloat64 : WeightType::kFloat32,
         .shape = tensor.sizes().vec(),
         .data = {static_cast<const std::byte*>(tensor.data_ptr()), tensor.nbytes()}});
  }
  return *WriteSafetensors(tensors);
}

namespace {

std::vector<double> Flat(const std::vector<at::Tensor>& tensors) {
  std::vector<double> values;
  for (const at::Tensor& tensor : tensors) {
    const at::Tensor wide = tensor.to(at::kDouble).contiguous();
    const auto* const data = wide.data_ptr<double>();
    values.insert(values.end(), data, data + wide.numel());
  }
  return values;
}

}  // namespace

std::vector<double> Learner::Values() const {
  std::vector<at::Tensor> tensors;
  for (const auto& named : impl_->Named()) tensors.push_back(named.second);
  return Flat(tensors);
}

std::vector<double> Learner::Probabilities(std::span<const float> views, size_t rows) const {
  const at::NoGradGuard no_grad;
  const at::Tensor logits = impl_->Logits(impl_->Images(views, rows), /*moved=*/nullptr);
  std::vector<double> values = Flat({logits});
  const size_t classes = values.size() / rows;
  for (size_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (size_t c = 0; c < classes; ++c) {
      double& value = values[row * classes + c];
      sum += value = std::exp(value);
    }
    for (size_t c = 0; c < classes; ++c) values[row * classes + c] /= sum;
  }
  return values;
}

std::vector<double> Learner::Gradient(const LearnerBatch& batch) const {
  std::vector<at::Tensor> moved;
  return Flat(impl_->Gradients(batch, &moved));
}

void Learner::Step(const LearnerBatch& batch) {
  std::vector<at::Tensor> moved;
  const std::vector<at::Tensor> gradients = impl_->Gradients(batch, &moved);
  const at::NoGradGuard no_grad;
  ++impl_->updates;
  const auto updates = static_cast<double>(impl_->updates);
  const double rate =
      kRate * std::sqrt(1 - std::pow(kBeta2, updates)) / (1 - std::pow(kBeta1, updates));
  const std::vector<at::Tensor*> parameters = impl_->Parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    at::Tensor& m = impl_->first_moments[i];
    at::Tensor& v = impl_->second_moments[i];
    m = kBeta1 * m + (1 - kBeta1) * gradients[i];
    v = kBeta2 * v + (1 - kBeta2) * gradients[i].square();
    at::Tensor& parameter = *parameters[i];
    parameter = parameter - rate * m / (v.sqrt() + kAdamEpsilon);
    // Kernels have more than one dimension.
    if (parameter.dim() > 1) parameter = parameter * (1 - kDecay * kRate);
  }
  for (size_t i = 0; i < kLayers; ++i) {
    impl_->layers[i].mean = moved[2 * i];
    impl_->layers[i].variance = moved[2 * i + 1];
  }
}

}  // namespace mixfeed::testing
