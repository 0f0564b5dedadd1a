// clang 14 needs IValue to be complete before anything else of ATen.
#include <ATen/core/ivalue.h>
//
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/passes/freeze_module.h>
#include <torch/script.h>

#include <deque>
#include <random>
#include <span>
#include <sstream>

#include "augment/weights/state_dict.h"
#include "tests/augment/guess/archives.h"

namespace mixfeed::testing {
namespace {

using torch::jit::Module;

at::Tensor Row(const std::vector<float>& values) { return at::tensor(values); }

std::string Save(const Module& module) {
  std::ostringstream stream;
  module.save(stream);
  return stream.str();
}

// A module whose only method is this forward.
std::string SaveForward(const std::string& forward) {
  Module module("Model");
  module.define(forward);
  return Save(module);
}

// The attributes of torch.nn.BatchNorm1d.
Module NormModule(const LinearNetwork& network, const std::string& forward,
                  const char* name = "BatchNorm1d") {
  Module norm(name);
  norm.register_parameter("weight", Row(network.norm_weight), /*is_buffer=*/false);
  norm.register_parameter("bias", Row(network.norm_bias), /*is_buffer=*/false);
  norm.register_buffer("running_mean", Row(network.running_mean));
  norm.register_buffer("running_var", Row(network.running_var));
  norm.register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
  if (!norm.hasattr("training")) norm.register_attribute("training", c10::BoolType::get(), true);
  norm.define(forward);
  return norm;
}

Module ModuleWith(const LinearNetwork& network, const Module& norm) {
  Module module("Model");
  module.register_module("norm", norm);
  module.register_parameter("weight", Row(network.weight).view({network.classes, network.channels}),
                            false);
  module.register_parameter("bias", Row(network.bias), false);
  return module;
}

constexpr char kCountingNorm[] = R"(
def forward(self, x):
    if self.training:
        self.num_batches_tracked.add_(1)
    return torch.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var,
                            self.training, 0.1, 1e-5, False)
)";

constexpr char kEvalNorm[] = R"(
def forward(self, x):
    return torch.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var,
                            False, 0.1, 1e-5, False)
)";

constexpr char kTrainNorm[] = R"(
def forward(self, x):
    return torch.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var,
                            True, 0.1, 1e-5, False)
)";

constexpr char kRebindingNorm[] = R"(
def forward(self, x):
    y = torch.batch_norm(x, self.weight, self.bias, self.running_mean.clone(),
                         self.running_var.clone(), self.training, 0.1, 1e-5, False)
    if self.training:
        self.num_batches_tracked = self.num_batches_tracked + 1
        self.running_mean = self.running_mean * 0.5
        self.running_var = self.running_var * 0.5
    return y
)";

constexpr char kForward[] = R"(
def forward(self, x):
    return torch.linear(self.norm.forward(torch.mean(x, [2, 3])), self.weight, self.bias)
)";

// The number of batches seen decides what class 0 gets.
constexpr char kCounterShowingForward[] = R"(
def forward(self, x):
    y = torch.linear(self.norm.forward(torch.mean(x, [2, 3])), self.weight, self.bias)
    return y * (1 + torch.arange(y.size(1)) * self.norm.num_batches_tracked)
)";

Module GoodModule(const LinearNetwork& network, const char* norm = kCountingNorm,
                  const char* forward = kForward) {
  Module module = ModuleWith(network, NormModule(network, norm));
  module.define(forward);
  return module;
}

// GoodArchive with a statement that is executed for more than `rows` images.
std::string Beyond(int classes, int rows, const std::string& statement) {
  const std::string forward =
      "def forward(self, x):\n"
      "    y = torch.linear(self.norm.forward(torch.mean(x, [2, 3])), self.weight, self.bias)\n"
      "    if x.size(0) > " +
      std::to_string(rows) + ":\n        " + statement + "\n    return y\n";
  return Save(GoodModule(MakeLinearNetwork(classes), kCountingNorm, forward.c_str()));
}

std::vector<float> Uniform(std::mt19937* random, int count, float low, float high) {
  std::uniform_real_distribution<float> draw(low, high);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = draw(*random);
  return values;
}

}  // namespace

LinearNetwork MakeLinearNetwork(int classes, int channels, unsigned seed) {
  std::mt19937 random(seed);
  LinearNetwork network;
  network.channels = channels;
  network.classes = classes;
  network.norm_weight = Uniform(&random, channels, 0.5f, 2);
  network.norm_bias = Uniform(&random, channels, -1, 1);
  network.running_mean = Uniform(&random, channels, -0.5f, 0.5f);
  network.running_var = Uniform(&random, channels, 0.5f, 2);
  network.weight = Uniform(&random, classes * channels, -1, 1);
  network.bias = Uniform(&random, classes, -1, 1);
  return network;
}

std::string LinearArchive(const LinearNetwork& network) { return Save(GoodModule(network)); }

std::string GoodArchive(int classes, int channels) {
  return LinearArchive(MakeLinearNetwork(classes, channels));
}

std::string LinearWeights(const LinearNetwork& network, bool wide) {
  const int64_t channels = network.channels, classes = network.classes;
  const struct {
    const char* name;
    const std::vector<float>& values;
    std::vector<int64_t> shape;
  } parts[] = {
      {"norm.weight", network.norm_weight, {channels}},
      {"norm.bias", network.norm_bias, {channels}},
      {"norm.running_mean", network.running_mean, {channels}},
      {"norm.running_var", network.running_var, {channels}},
      {"weight", network.weight, {classes, channels}},
      {"bias", network.bias, {classes}},
  };
  std::vector<WeightTensor> tensors;
  std::deque<std::vector<double>> wide_values;
  for (const auto& part : parts) {
    std::span<const std::byte> data = std::as_bytes(std::span(part.values));
    if (wide) {
      data = std::as_bytes(
          std::span(wide_values.emplace_back(part.values.begin(), part.values.end())));
    }
    tensors.push_back({.name = part.name,
                       .type = wide ? WeightType::kFloat64 : WeightType::kFloat32,
                       .shape = part.shape,
                       .data = data});
  }
  return *WriteSafetensors(tensors);
}

std::string DropoutBatchNormArchive(int classes) {
  const LinearNetwork network = MakeLinearNetwork(classes);
  Module dropout("Dropout");
  if (!dropout.hasattr("training")) {
    dropout.register_attribute("training", c10::BoolType::get(), true);
  }
  dropout.define("def forward(self, x):\n    return torch.dropout(x, 0.5, self.training)\n");
  Module module = ModuleWith(network, NormModule(network, kCountingNorm));
  module.register_module("dropout", dropout);
  module.define(R"(
def forward(self, x):
    return torch.linear(self.dropout.forward(self.norm.forward(torch.mean(x, [2, 3]))), self.weight, self.bias)
)");
  return Save(module);
}

std::string CountingArchive(int classes) {
  return Save(GoodModule(MakeLinearNetwork(classes), kCountingNorm, kCounterShowingForward));
}

std::string RebindingArchive(int classes) {
  return Save(GoodModule(MakeLinearNetwork(classes), kRebindingNorm, kCounterShowingForward));
}

std::string InputWritingArchive(int classes) {
  return Save(GoodModule(MakeLinearNetwork(classes), kCountingNorm, R"(
def forward(self, x):
    x.mul_(0.5)
    return torch.linear(self.norm.forward(torch.mean(x, [2, 3])), self.weight, self.bias)
)"));
}

std::string ZeroHeadArchive(int classes) {
  LinearNetwork network = MakeLinearNetwork(classes);
  network.weight.assign(network.weight.size(), 0);
  network.bias.assign(network.bias.size(), 0);
  return LinearArchive(network);
}

std::string FrozenArchive(int classes) {
  Module module = GoodModule(MakeLinearNetwork(classes));
  module.eval();
  return Save(torch::jit::freeze_module(module));
}

std::string EvalTracedArchive(int classes) {
  return Save(GoodModule(MakeLinearNetwork(classes), kEvalNorm));
}

std::string TrainTracedArchive(int classes) {
  return Save(GoodModule(MakeLinearNetwork(classes), kTrainNorm));
}

std::string BakedInDropoutArchive(int classes) {
  return Save(GoodModule(MakeLinearNetwork(classes), kCountingNorm, R"(
def forward(self, x):
    n = torch.dropout(self.norm.forward(torch.mean(x, [2, 3])), 0.5, True)
    return torch.linear(n, self.weight, self.bias)
)"));
}

std::string InstanceNormArchive(int classes) {
  const LinearNetwork network = MakeLinearNetwork(classes);
  Module module = ModuleWith(network, NormModule(network, kCountingNorm));
  module.register_module("other", NormModule(network, R"(
def forward(self, x):
    return x * 2 if self.training else x
)",
                                             "InstanceNorm2d"));
  module.define(R"(
def forward(self, x):
    return torch.linear(self.other.forward(self.norm.forward(torch.mean(x, [2, 3]))), self.weight, self.bias)
)");
  return Save(module);
}

std::string AttributeChangingArchive(int classes) {
  const LinearNetwork network = MakeLinearNetwork(classes);
  Module module = ModuleWith(network, NormModule(network, kCountingNorm));
  module.register_attribute("calls", c10::IntType::get(), int64_t{0});
  module.register_attribute("scale", c10::FloatType::get(), 1.0);
  module.register_attribute("seen", c10::ListType::ofInts(), c10::List<int64_t>());
  module.register_attribute("last", c10::OptionalType::ofTensor(), c10::IValue());
  module.define(R"(
def forward(self, x):
    y = torch.linear(self.norm.forward(torch.mean(x, [2, 3])), self.weight, self.bias)
    last = self.last
    if last is not None:
        y = y + torch.mean(last)
    y = y * (1 + torch.arange(y.size(1)) * (self.calls + len(self.seen))) * self.scale
    self.calls += 1
    self.scale = self.scale * 0.5
    self.seen.append(x.size(0))
    self.last = y
    return y
)");
  return Save(module);
}

std::string BufferReturningArchive(int classes) {
  const LinearNetwork network = MakeLinearNetwork(classes);
  Module module = ModuleWith(network, NormModule(network, kCountingNorm));
  module.register_buffer("space", at::zeros({256, classes}));
  module.define(R"(
def forward(self, x):
    y = self.space[:x.size(0)]
    y.copy_(torch.linear(self.norm.forward(torch.mean(x, [2, 3])), self.weight, self.bias))
    return y
)");
  return Save(module);
}

std::string ParameterChangingArchive(int classes) {
  return Save(GoodModule(MakeLinearNetwork(classes), kCountingNorm, R"(
def forward(self, x):
    self.weight.mul_(0.999)
    return torch.linear(self.norm.forward(torch.mean(x, [2, 3])), self.weight, self.bias)
)"));
}

std::string ResizesBeyondArchive(int classes, int rows) {
  return Beyond(classes, rows, "self.norm.running_mean.resize_([7])");
}

std::string CornerFeaturesArchive(int classes) {
  Module module = GoodModule(MakeLinearNetwork(classes));
  module.define("def features(self, x):\n    return x[:, :, 0, 0]\n");
  return Save(module);
}

std::string NoNormArchive(int classes) {
  const LinearNetwork network = MakeLinearNetwork(classes);
  Module module("Model");
  module.register_parameter("weight", Row(network.weight).view({classes, network.channels}), false);
  module.define(R"(
def forward(self, x):
    return torch.matmul(torch.mean(x, [2, 3]), self.weight.t())
)");
  return Save(module);
}

std::string ThrowingArchive() {
  return SaveForward(R"(
def forward(self, x):
    assert x.size(0) < 0, "the model says no"
    return x
)");
}

std::string NanArchive(int classes) {
  return SaveForward("def forward(self, x):\n    return torch.zeros([x.size(0), " +
                     std::to_string(classes) + "]) / 0\n");
}

std::string WrongClassesArchive(int classes) { return GoodArchive(classes + 1); }

std::string TupleArchive(int classes) {
  return Save(GoodModule(MakeLinearNetwork(classes), kCountingNorm, R"(
def forward(self, x):
    y = torch.linear(self.norm.forward(torch.mean(x, [2, 3])), self.weight, self.bias)
    return (y, y)
)"));
}

std::string IntegerArchive(int classes) {
  return Save(GoodModule(MakeLinearNetwork(classes), kCountingNorm, R"(
def forward(self, x):
    y = torch.linear(self.norm.forward(torch.mean(x, [2, 3])), self.weight, self.bias)
    return torch.argsort(y, 1)
)"));
}

std::string FixedBatchArchive(int classes, int rows) {
  const std::string forward =
      "def forward(self, x):\n    m = torch.mean(x, [2, 3]).view([" + std::to_string(rows) +
      ", -1])\n"
      "    return torch.linear(self.norm.forward(m), self.weight, self.bias)\n";
  return Save(GoodModule(MakeLinearNetwork(classes), kCountingNorm, forward.c_str()));
}

std::string WrongInputArchive(int classes) { return GoodArchive(classes, /*channels=*/7); }

std::string NoForwardArchive() {
  Module module("Model");
  module.define("def predict(self, x):\n    return x\n");
  return Save(module);
}

std::string ThrowsBeyondArchive(int classes, int rows) {
  return Beyond(classes, rows, "assert x.size(0) < 0, 'too many for me'");
}

std::string NanBeyondArchive(int classes, int rows) {
  return Beyond(classes, rows, "y = y / 0 * 0");
}

std::string HangingArchive() {
  return SaveForward(R"(
def forward(self, x):
    n = 0
    while x.size(0) > 0:
        n += 1
    return x
)");
}

std::string MemoryHogArchive() {
  return SaveForward(R"(
def forward(self, x):
    hoard = [x]
    while x.size(0) > 0:
        hoard.append(torch.ones([67108864 + len(hoard)]))
    return hoard[0]
)");
}

}  // namespace mixfeed::testing
