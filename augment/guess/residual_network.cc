#include "augment/guess/residual_network.h"

// clang 14 needs IValue to be complete before anything else of ATen.
#include <ATen/core/ivalue.h>
//
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/status_macros.h"
#include "augment/guess/torch_runtime.h"
#include "augment/guess/torch_weights.h"

namespace mixfeed {
namespace {

// oneDNN's convolutions take half the time in this layout, batch norm a third (batch 64, 32x32).
constexpr at::MemoryFormat kLayout = at::MemoryFormat::ChannelsLast;

constexpr double kLeakySlope = 0.1;
constexpr double kNormEpsilon = 1e-3;  // of tf.layers.batch_normalization, which MixMatch uses
constexpr int kStemChannels = 16;
// The two strides of 2 leave at least 2x2 pixels to the pool.
constexpr int kMinSide = 8;

// Three scales of `blocks` blocks with `channels`, 2x and 4x channels. How to add one: a line here.
struct Architecture {
  const char* name;
  int blocks;
  int channels;
};
constexpr Architecture kArchitectures[] = {
    {"wrn-28-2", 4, 32},
    {"resnet-small", 1, 16},
};
constexpr auto kNames = [] {
  std::array<const char*, std::size(kArchitectures)> names{};
  for (size_t i = 0; i < names.size(); ++i) names[i] = kArchitectures[i].name;
  return names;
}();

absl::StatusOr<Architecture> FindArchitecture(const std::string& name) {
  for (const Architecture& architecture : kArchitectures) {
    if (name == architecture.name) return architecture;
  }
  return absl::InvalidArgumentError(absl::StrCat("no model kind '", name,
                                                 "'; allowed: ", absl::StrJoin(kNames, ", "), ", ",
                                                 kTorchScriptKind));
}

absl::Status CheckShape(const std::string& name, const ImageShape& input, int classes) {
  const bool known_channels = input.channels == 1 || input.channels == 3;
  if (known_channels && std::min(input.height, input.width) >= kMinSide && classes >= 1) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      name, ": input is ", input.channels, "x", input.height, "x", input.width, " with ", classes,
      " classes; allowed: 1 or 3 channels, sides from ", kMinSide, ", classes from 1"));
}

// Draws from a generator of its own, so that the process's default one is not disturbed. Without a
// seed draws nothing: for networks whose weights are about to be replaced.
class Initialiser {
 public:
  explicit Initialiser(std::optional<uint64_t> seed) {
    if (seed.has_value()) generator_ = at::make_generator<at::CPUGeneratorImpl>(*seed);
  }

  at::Tensor Normal(at::IntArrayRef shape, double deviation) {
    if (generator_.has_value()) {
      return at::empty(shape, at::kFloat).normal_(0, deviation, *generator_);
    }
    // In the layout in which it would be used, so that nobody converts what is not there.
    return at::empty(shape, at::kFloat, shape.size() == 4 ? kLayout : at::MemoryFormat::Contiguous);
  }

 private:
  std::optional<at::Generator> generator_;
};

at::Tensor* Add(NamedTensors* tensors, std::string name, at::Tensor value) {
  return &tensors->emplace_back(std::move(name), std::move(value)).second;
}

// Pads both sides alike, as PyTorch does. Where TensorFlow's official code strides by 2, its SAME
// pads even sizes at the end only: its windows lie one pixel further down and right, so that its
// weights give somewhat different outputs here. The network is as good either way.
class Convolution {
 public:
  Convolution(const std::string& name, int in, int out, int kernel, int stride, Initialiser* init,
              NamedTensors* weights)
      : stride_(stride),
        padding_(kernel / 2),
        weight_(
            Add(weights, name + ".weight",
                init->Normal({out, in, kernel, kernel}, std::sqrt(2.0 / (kernel * kernel * out)))
                    .contiguous(kLayout))),
        bias_(Add(weights, name + ".bias", at::zeros({out}))) {}

  at::Tensor operator()(const at::Tensor& x) const {
    return at::conv2d(x, *weight_, *bias_, stride_, padding_);
  }

 private:
  int64_t stride_;
  int64_t padding_;
  const at::Tensor* weight_;
  const at::Tensor* bias_;
};

// Batch norm and leaky ReLU.
class NormAndActivation {
 public:
  NormAndActivation(const std::string& name, int channels, NamedTensors* weights)
      : scale_(Add(weights, name + ".weight", at::ones({channels}))),
        shift_(Add(weights, name + ".bias", at::zeros({channels}))),
        mean_(Add(weights, name + ".running_mean", at::zeros({channels}))),
        variance_(Add(weights, name + ".running_var", at::ones({channels}))) {}

  at::Tensor operator()(const at::Tensor& x, const NormPass& pass) const {
    // Statistics that are to stay as they are the operator is not given.
    const bool reads = !pass.batch_statistics || pass.momentum > 0;
    const at::Tensor none;
    at::Tensor y =
        at::batch_norm(x, *scale_, *shift_, reads ? *mean_ : none, reads ? *variance_ : none,
                       pass.batch_statistics, pass.momentum, kNormEpsilon, /*cudnn_enabled=*/false);
    return at::leaky_relu_(y, kLeakySlope);
  }

 private:
  const at::Tensor* scale_;
  const at::Tensor* shift_;
  const at::Tensor* mean_;
  const at::Tensor* variance_;
};

class Block {
 public:
  // `first`: the network's first block, whose shortcut starts behind the activation.
  Block(const std::string& name, int in, int out, int stride, bool first, Initialiser* init,
        NamedTensors* weights)
      : first_(first),
        norm1_(name + ".norm1", in, weights),
        conv1_(name + ".conv1", in, out, 3, stride, init, weights),
        norm2_(name + ".norm2", out, weights),
        conv2_(name + ".conv2", out, out, 3, 1, init, weights) {
    if (in != out) shortcut_.emplace(name + ".shortcut", in, out, 1, stride, init, weights);
  }

  at::Tensor operator()(const at::Tensor& x, const NormPass& pass) const {
    const at::Tensor active = norm1_(x, pass);
    const at::Tensor& from = first_ ? active : x;
    at::Tensor y = conv2_(norm2_(conv1_(active), pass));
    return y.add_(shortcut_ ? (*shortcut_)(from) : from);
  }

 private:
  bool first_;
  NormAndActivation norm1_;
  Convolution conv1_;
  NormAndActivation norm2_;
  Convolution conv2_;
  std::optional<Convolution> shortcut_;
};

}  // namespace

struct ResidualNetwork::Impl {
  Impl(const Architecture& the_architecture, int the_input_channels, int the_classes,
       std::optional<uint64_t> seed);

  at::Tensor Pooled(const at::Tensor& images, const NormPass& norms, const HiddenMix& mix) const;

  const Architecture architecture;
  const int input_channels;
  const int classes;
  NamedTensors tensors;  // references stay valid
  Initialiser init;
  Convolution stem;
  std::vector<Block> blocks;
  std::optional<NormAndActivation> norm;
  at::Tensor* head_weight;
  at::Tensor* head_bias;
};

ResidualNetwork::Impl::Impl(const Architecture& the_architecture, int the_input_channels,
                            int the_classes, std::optional<uint64_t> seed)
    : architecture(the_architecture),
      input_channels(the_input_channels),
      classes(the_classes),
      init(seed),
      stem("stem", input_channels, kStemChannels, 3, 1, &init, &tensors) {
  int channels = kStemChannels;
  for (int scale = 0; scale < kScales; ++scale) {
    const int out = architecture.channels << scale;
    for (int block = 0; block < architecture.blocks; ++block) {
      const int stride = scale > 0 && block == 0 ? 2 : 1;
      blocks.emplace_back(absl::StrCat("blocks.", blocks.size()), channels, out, stride,
                          blocks.empty(), &init, &tensors);
      channels = out;
    }
  }
  norm.emplace("norm", channels, &tensors);
  head_weight = Add(&tensors, "head.weight",
                    init.Normal({classes, channels}, std::sqrt(2.0 / (channels + classes))));
  head_bias = Add(&tensors, "head.bias", at::zeros({classes}));
}

at::Tensor ResidualNetwork::Impl::Pooled(const at::Tensor& images, const NormPass& norms,
                                         const HiddenMix& mix) const {
  at::Tensor x = stem(images.contiguous(kLayout));
  for (size_t i = 0; i < blocks.size(); ++i) {
    x = blocks[i](x, norms);
    const int done = static_cast<int>(i) + 1;
    if (mix != nullptr && done % architecture.blocks == 0) x = mix(done / architecture.blocks, x);
  }
  return (*norm)(x, norms).mean({2, 3});
}

ResidualNetwork::ResidualNetwork(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ResidualNetwork::~ResidualNetwork() = default;

std::span<const char* const> ResidualNetwork::Names() { return kNames; }

absl::StatusOr<std::unique_ptr<ResidualNetwork>> ResidualNetwork::Create(
    const std::string& name, const ImageShape& input, int classes, std::optional<uint64_t> seed) {
  MIXFEED_ASSIGN_OR_RETURN(const Architecture architecture, FindArchitecture(name));
  MIXFEED_RETURN_IF_ERROR(CheckShape(name, input, classes));
  auto impl = std::make_unique<Impl>(architecture, input.channels, classes, seed);
  return absl::WrapUnique(new ResidualNetwork(std::move(impl)));
}

at::Tensor ResidualNetwork::Forward(const at::Tensor& images, const NormPass& norms,
                                    const HiddenMix& mix) const {
  return at::linear(impl_->Pooled(images, norms, mix), *impl_->head_weight, *impl_->head_bias);
}

at::Tensor ResidualNetwork::Features(const at::Tensor& images) const {
  return impl_->Pooled(images, {.batch_statistics = false}, nullptr);
}

NamedTensors& ResidualNetwork::tensors() { return impl_->tensors; }
const NamedTensors& ResidualNetwork::tensors() const { return impl_->tensors; }

bool ResidualNetwork::IsIgnored(const std::string& name) {
  return name.ends_with(".num_batches_tracked");
}

bool ResidualNetwork::IsStatistic(const std::string& name) {
  return name.ends_with(".running_mean") || name.ends_with(".running_var");
}

absl::StatusOr<std::unique_ptr<ResidualNetwork>> ResidualNetwork::CloneWith(
    const StateDict& weights, bool whole) const {
  auto clone = absl::WrapUnique(new ResidualNetwork(
      std::make_unique<Impl>(impl_->architecture, impl_->input_channels, impl_->classes,
                             /*seed=*/std::nullopt)));
  size_t known = 0;
  for (size_t i = 0; i < tensors().size(); ++i) {
    const auto& [name, own] = tensors()[i];
    at::Tensor& tensor = clone->tensors()[i].second;
    const WeightTensor* const given = weights.Find(name);
    if (given == nullptr) {
      if (whole) return MissingWeight(name);
      tensor = own;
      continue;
    }
    ++known;
    MIXFEED_ASSIGN_OR_RETURN(tensor, ConvertWeight(*given, own));
  }
  for (const WeightTensor& given : weights.tensors()) {
    if (IsIgnored(given.name)) ++known;
  }
  if (known == weights.tensors().size()) return clone;
  for (const WeightTensor& given : weights.tensors()) {
    const bool wanted = std::any_of(tensors().begin(), tensors().end(),
                                    [&](const auto& tensor) { return tensor.first == given.name; });
    if (!wanted && !IsIgnored(given.name)) return UnknownWeight(given.name);
  }
  return clone;
}

absl::StatusOr<std::string> ResidualNetwork::Weights() const {
  return WriteWeights({tensors().begin(), tensors().end()});
}

}  // namespace mixfeed
