// clang 14 needs IValue to be complete before anything else of ATen.
#include <ATen/core/ivalue.h>
//
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

#include <exception>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/guess/network.h"
#include "augment/guess/torch_errors.h"
#include "augment/guess/torch_weights.h"

namespace mixfeed {
namespace {

// Something that a module remembers from one call to the next, as it was when it was loaded.
class Snapshot {
 public:
  virtual ~Snapshot() = default;
  // Undoes what a pass did to it; throws when it cannot.
  virtual void Restore() = 0;
};

// A tensor that may change: a buffer, or an attribute that holds one.
class TensorSnapshot : public Snapshot {
 public:
  TensorSnapshot(const torch::jit::Module& module, std::string name, const std::string& path)
      : module_(module),
        name_(std::move(name)),
        path_(path),
        original_(module_.attr(name_).toTensor()),
        backup_(original_.clone()) {}

  // Undoes both ways of changing it: putting another value in its stead, and writing into it. The
  // tensor's version counter does not tell of the latter, since batch norm does not raise it.
  void Restore() override {
    const c10::IValue current = module_.attr(name_);
    if (!current.isTensor() || !current.toTensor().is_same(original_)) {
      module_.setattr(name_, original_);
    }
    // copy_ would fill a tensor of another size with repetitions.
    if (original_.sizes() != backup_.sizes()) {
      throw std::runtime_error(absl::StrCat("its forward resizes ", path_, " in place"));
    }
    original_.copy_(backup_);
  }

 private:
  torch::jit::Module module_;
  const std::string name_;
  const std::string path_;
  const at::Tensor original_;
  const at::Tensor backup_;
};

// A number, text, list or the like.
class ValueSnapshot : public Snapshot {
 public:
  ValueSnapshot(const torch::jit::Module& module, std::string name)
      : module_(module), name_(std::move(name)), backup_(module_.attr(name_).deepcopy()) {}

  // A copy, since the next pass may write into a list.
  void Restore() override { module_.setattr(name_, backup_.deepcopy()); }

 private:
  torch::jit::Module module_;
  const std::string name_;
  const c10::IValue backup_;
};

// A parameter. These are most of a model's bytes and should not change while it guesses: they are
// watched and not copied.
class ParameterSnapshot : public Snapshot {
 public:
  ParameterSnapshot(const torch::jit::Module& module, std::string name, const std::string& path)
      : module_(module),
        name_(std::move(name)),
        path_(path),
        original_(module_.attr(name_).toTensor()),
        version_(original_._version()) {}

  void Restore() override {
    const c10::IValue current = module_.attr(name_);
    if (current.isTensor() && current.toTensor().is_same(original_) &&
        original_._version() == version_) {
      return;
    }
    throw std::runtime_error(absl::StrCat(
        "its forward changes the parameter ", path_,
        ", so that a guess would depend on those before it; a guess model must not train itself"));
  }

 private:
  const torch::jit::Module module_;
  const std::string name_;
  const std::string path_;
  const at::Tensor original_;
  const decltype(original_._version()) version_;
};

// Objects of C++ classes (packed weights of quantised layers) have nothing that a forward writes.
bool IsCppObject(const c10::IValue& value) {
  if (!value.isObject()) return false;
  const auto name = value.toObject()->type()->name();
  return name.has_value() && absl::StartsWith(name->qualifiedName(), "__torch__.torch.classes.");
}

// Null for what cannot change: submodules, which have snapshots of their own, and C++ objects.
std::unique_ptr<Snapshot> MakeSnapshot(const torch::jit::Module& module, const std::string& name,
                                       const std::string& path, bool parameter) {
  const c10::IValue value = module.attr(name);
  if (value.isModule() || IsCppObject(value)) return nullptr;
  if (!value.isTensor()) return std::make_unique<ValueSnapshot>(module, name);
  if (parameter) return std::make_unique<ParameterSnapshot>(module, name, path);
  return std::make_unique<TensorSnapshot>(module, name, path);
}

class TorchScriptNetwork : public Network {
 public:
  explicit TorchScriptNetwork(const torch::jit::Module& module);

  at::Tensor Forward(const at::Tensor& views, bool batch_statistics) override;
  at::Tensor Features(const at::Tensor& views) override;
  bool IsThreadSafe() const override { return false; }
  absl::StatusOr<std::unique_ptr<Network>> CloneWith(const StateDict& weights,
                                                     bool whole) const override;
  absl::StatusOr<std::string> Weights() const override;
  bool WouldWrite(const StateDict& weights) const override;
  absl::StatusOr<std::string> Average(const StateDict& average, double decay) const override;

 private:
  void AddSnapshots(const std::string& path, const torch::jit::Module& part);
  // Runs a method on the views, and takes the module's state back, also when it throws.
  at::Tensor RunAndRestore(const std::string& method, const at::Tensor& views,
                           bool batch_statistics);
  at::Tensor Run(const std::string& method, const at::Tensor& views, bool batch_statistics);
  // Also takes batch norms back to running statistics: `training` is an attribute like others.
  void Restore();

  torch::jit::Module module_;
  std::vector<torch::jit::Module> batch_norms_;
  std::vector<std::unique_ptr<Snapshot>> snapshots_;
  std::string broken_;  // why the network can no longer be used
};

// By the class, since others (InstanceNorm) have running statistics and a mode, too.
bool IsBatchNorm(const torch::jit::Module& module) {
  const auto qualified = module.type()->name();
  if (!qualified.has_value() || !module.hasattr("training")) return false;
  const std::string& name = qualified->name();
  return absl::StartsWith(name, "BatchNorm") || name == "SyncBatchNorm";
}

TorchScriptNetwork::TorchScriptNetwork(const torch::jit::Module& module) : module_(module) {
  module_.eval();
  for (const auto& part : module_.named_modules()) {
    if (IsBatchNorm(part.value)) batch_norms_.push_back(part.value);
    AddSnapshots(part.name.empty() ? "" : part.name + ".", part.value);
  }
}

void TorchScriptNetwork::AddSnapshots(const std::string& path, const torch::jit::Module& part) {
  std::set<std::string> parameters;
  for (const auto& parameter : part.named_parameters(/*recurse=*/false)) {
    parameters.insert(parameter.name);
  }
  for (const auto& attribute : part.named_attributes(/*recurse=*/false)) {
    const std::string& name = attribute.name;
    std::unique_ptr<Snapshot> snapshot =
        MakeSnapshot(part, name, path + name, parameters.count(name) > 0);
    if (snapshot != nullptr) snapshots_.push_back(std::move(snapshot));
  }
}

// A module's tensors under the names of its state dict.
struct NamedSlot {
  std::string name;
  at::Tensor tensor;
  bool needed;  // in every whole state dict
  bool parameter;
};

// Buffers that a state dict leaves out (persistent=False) cannot be told from others in an archive.
std::vector<NamedSlot> SlotsOf(const torch::jit::Module& module) {
  std::vector<NamedSlot> slots;
  for (const auto& part : module.named_modules()) {
    const std::string path = part.name.empty() ? "" : part.name + ".";
    for (const auto& parameter : part.value.named_parameters(/*recurse=*/false)) {
      slots.push_back({path + parameter.name, parameter.value, true, true});
    }
    for (const auto& buffer : part.value.named_buffers(/*recurse=*/false)) {
      const bool statistic =
          IsBatchNorm(part.value) && at::isFloatingType(buffer.value.scalar_type());
      slots.push_back({path + buffer.name, buffer.value, statistic, false});
    }
  }
  return slots;
}

std::vector<std::pair<std::string, at::Tensor>> TensorsOf(const torch::jit::Module& module) {
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (const NamedSlot& slot : SlotsOf(module)) tensors.emplace_back(slot.name, slot.tensor);
  return tensors;
}

absl::StatusOr<std::unique_ptr<Network>> TorchScriptNetwork::CloneWith(const StateDict& weights,
                                                                       bool whole) const {
  const torch::jit::Module copy = module_.deepcopy();
  std::set<std::string> known;
  for (NamedSlot& slot : SlotsOf(copy)) {
    known.insert(slot.name);
    const WeightTensor* const given = weights.Find(slot.name);
    if (given == nullptr && whole && slot.needed) return MissingWeight(slot.name);
    if (given == nullptr) continue;
    MIXFEED_ASSIGN_OR_RETURN(const at::Tensor values, ConvertWeight(*given, slot.tensor));
    const at::NoGradGuard no_grad;
    slot.tensor.copy_(values);
  }
  for (const WeightTensor& given : weights.tensors()) {
    if (known.count(given.name) == 0) return UnknownWeight(given.name);
  }
  return std::make_unique<TorchScriptNetwork>(copy);
}

absl::StatusOr<std::string> TorchScriptNetwork::Weights() const {
  return WriteWeights(TensorsOf(module_));
}

bool TorchScriptNetwork::WouldWrite(const StateDict& weights) const {
  return AreInFormOf(TensorsOf(module_), weights);
}

absl::StatusOr<std::string> TorchScriptNetwork::Average(const StateDict& average,
                                                        double decay) const {
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  std::set<std::string> parameters;
  for (const NamedSlot& slot : SlotsOf(module_)) {
    tensors.emplace_back(slot.name, slot.tensor);
    if (slot.parameter) parameters.insert(slot.name);
  }
  return WriteAverage(std::move(tensors), parameters, average, decay);
}

at::Tensor TorchScriptNetwork::Forward(const at::Tensor& views, bool batch_statistics) {
  return RunAndRestore("forward", views, batch_statistics);
}

at::Tensor TorchScriptNetwork::Features(const at::Tensor& views) {
  if (!module_.find_method("features")) {
    throw std::runtime_error(
        "it has no method 'features' that takes views and returns [rows, n]; add one with "
        "@torch.jit.export, or measure distance in pixels");
  }
  return RunAndRestore("features", views, /*batch_statistics=*/false);
}

at::Tensor TorchScriptNetwork::RunAndRestore(const std::string& method, const at::Tensor& views,
                                             bool batch_statistics) {
  if (!broken_.empty()) throw std::runtime_error(broken_);
  at::Tensor output;
  std::exception_ptr error;
  try {
    output = Run(method, views, batch_statistics);
  } catch (...) {
    error = std::current_exception();
  }
  Restore();
  if (error != nullptr) std::rethrow_exception(error);
  return output;
}

at::Tensor TorchScriptNetwork::Run(const std::string& method, const at::Tensor& views,
                                   bool batch_statistics) {
  if (batch_statistics) {
    for (torch::jit::Module& norm : batch_norms_) norm.setattr("training", true);
  }
  // The same operators from the first call on: what the optimiser makes of a graph after it has
  // profiled a few calls may differ in the last bits.
  const torch::jit::GraphOptimizerEnabledGuard unoptimised(false);
  const c10::IValue output = module_.get_method(method)({views});
  // A copy, since the output may be a buffer, which is about to be restored.
  if (output.isTensor()) return output.toTensor().clone();
  throw std::runtime_error(absl::StrCat(method, " returned ", output.tagKind(),
                                        "; wanted is one tensor [rows, columns]"));
}

void TorchScriptNetwork::Restore() {
  try {
    for (const std::unique_ptr<Snapshot>& snapshot : snapshots_) snapshot->Restore();
  } catch (const std::exception& error) {
    broken_ = absl::StrCat(
        "it is of no more use, since its state after a pass cannot be taken "
        "back: ",
        TorchErrorMessage(error));
    throw std::runtime_error(broken_);
  }
}

// The likeliest mistake is a file that torch.save wrote.
absl::StatusOr<torch::jit::Module> ReadArchive(const std::string& archive) {
  torch::jit::Module module;
  std::istringstream stream(archive);
  const absl::Status status = CatchTorchErrors(absl::StatusCode::kInvalidArgument, [&] {
    module = torch::jit::load(stream, at::kCPU);
    return absl::OkStatus();
  });
  if (status.ok()) return module;
  return absl::Status(
      status.code(),
      absl::StrCat(
          "it is no TorchScript archive, as torch.jit.script(model).save(FILE) writes it: ",
          status.message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Network>> LoadTorchScript(const ModelSource& source) {
  if (source.archive.empty()) return absl::InvalidArgumentError("the archive is empty");
  MIXFEED_ASSIGN_OR_RETURN(torch::jit::Module module, ReadArchive(source.archive));
  if (!module.find_method("forward")) {
    return absl::InvalidArgumentError("the archive's module has no method 'forward'");
  }
  return std::make_unique<TorchScriptNetwork>(module);
}

}  // namespace mixfeed
