// clang 14 needs IValue to be complete before anything else of ATen.
#include <ATen/core/ivalue.h>
//
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/guess/network.h"

namespace mixfeed {
namespace {

// A buffer of a module, as it was when it was loaded.
class BufferSnapshot {
 public:
  BufferSnapshot(const torch::jit::Module& module, std::string name)
      : module_(module),
        name_(std::move(name)),
        original_(module_.attr(name_).toTensor()),
        backup_(original_.clone()) {}

  // Undoes both ways of changing it: putting another tensor in its stead, and writing into it. The
  // tensor's version counter does not tell of the latter, since batch norm does not raise it.
  void Restore() {
    const c10::IValue current = module_.attr(name_);
    if (!current.isTensor() || !current.toTensor().is_same(original_)) {
      module_.setattr(name_, original_);
    }
    original_.copy_(backup_);
  }

 private:
  torch::jit::Module module_;
  std::string name_;
  at::Tensor original_;
  at::Tensor backup_;
};

class TorchScriptNetwork : public Network {
 public:
  explicit TorchScriptNetwork(const torch::jit::Module& module);

  at::Tensor Forward(const at::Tensor& views, bool batch_statistics) override;

 private:
  // Switches the batch norms to batch statistics for one call, and takes back what it changed.
  class Scope {
   public:
    Scope(TorchScriptNetwork* network, bool batch_statistics);
    ~Scope();

   private:
    TorchScriptNetwork* const network_;
    const bool batch_statistics_;
  };

  void SetBatchNormTraining(bool on) {
    for (torch::jit::Module& norm : batch_norms_) norm.setattr("training", on);
  }

  torch::jit::Module module_;
  std::vector<torch::jit::Module> batch_norms_;
  std::vector<BufferSnapshot> buffers_;
};

bool IsBatchNorm(const torch::jit::Module& module) {
  return module.hasattr("running_mean") && module.hasattr("running_var") &&
         module.hasattr("training");
}

TorchScriptNetwork::TorchScriptNetwork(const torch::jit::Module& module) : module_(module) {
  module_.eval();
  for (const torch::jit::Module& part : module_.modules()) {
    if (IsBatchNorm(part)) batch_norms_.push_back(part);
    for (const auto& buffer : part.named_buffers(/*recurse=*/false)) {
      buffers_.emplace_back(part, buffer.name);
    }
  }
}

TorchScriptNetwork::Scope::Scope(TorchScriptNetwork* network, bool batch_statistics)
    : network_(network), batch_statistics_(batch_statistics) {
  if (batch_statistics_) network_->SetBatchNormTraining(true);
}

TorchScriptNetwork::Scope::~Scope() {
  if (batch_statistics_) network_->SetBatchNormTraining(false);
  for (BufferSnapshot& buffer : network_->buffers_) buffer.Restore();
}

at::Tensor TorchScriptNetwork::Forward(const at::Tensor& views, bool batch_statistics) {
  const Scope scope(this, batch_statistics);
  // The same operators from the first call on: what the optimiser makes of a graph after it has
  // profiled a few calls may differ in the last bits.
  const torch::jit::GraphOptimizerEnabledGuard unoptimised(false);
  const c10::IValue output = module_.forward({views});
  if (output.isTensor()) return output.toTensor();
  throw std::runtime_error(absl::StrCat("forward returned ", output.tagKind(),
                                        "; wanted is one tensor of logits [rows, classes]"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Network>> LoadTorchScript(const ModelSource& source) {
  if (source.archive.empty()) return absl::InvalidArgumentError("the archive is empty");
  std::istringstream stream(source.archive);
  torch::jit::Module module = torch::jit::load(stream, at::kCPU);
  if (!module.find_method("forward")) {
    return absl::InvalidArgumentError("the archive's module has no method 'forward'");
  }
  return std::make_unique<TorchScriptNetwork>(module);
}

}  // namespace mixfeed
