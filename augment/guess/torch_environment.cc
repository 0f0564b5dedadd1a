#include "augment/guess/torch_environment.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <dlfcn.h>
#include <torch/version.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace mixfeed {
namespace {

// A function of a library that LibTorch may or may not have been linked with.
template <typename Function>
Function* FindFunction(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

// What follows `label` on its line of LibTorch's description of itself.
std::string ConfigValue(const std::string& label) {
  const std::string config = at::show_config();
  const size_t found = config.find(label);
  if (found == std::string::npos) return "unknown";
  const size_t begin = found + label.size();
  const size_t end = std::min(config.find('\n', begin), config.find(" (", begin));
  return std::string(absl::StripAsciiWhitespace(config.substr(begin, end - begin)));
}

// oneDNN chooses instructions by itself, beyond those that LibTorch's own kernels use.
std::string OneDnnIsa() {
  auto* const isa = FindFunction<int()>("dnnl_get_effective_cpu_isa");
  return isa == nullptr ? "" : absl::StrCat(" (isa 0x", absl::Hex(isa()), ")");
}

// The file that Debian's alternatives put behind the BLAS's name.
std::string BlasFile() {
  Dl_info info;
  void* const gemm = dlsym(RTLD_DEFAULT, "sgemm_");
  if (gemm == nullptr || dladdr(gemm, &info) == 0) return "no BLAS";
  std::error_code error;
  const std::filesystem::path file = std::filesystem::canonical(info.dli_fname, error);
  return error ? info.dli_fname : file.filename().string();
}

std::string BlasName() {
  auto* const config = FindFunction<char*()>("openblas_get_config");
  return config == nullptr ? BlasFile() : config();
}

}  // namespace

void SetOperatorThreads(int threads) {
  at::set_num_threads(threads);
  // OpenBLAS has threads of its own, which LibTorch's setting does not reach.
  if (auto* const set = FindFunction<void(int)>("openblas_set_num_threads")) set(threads);
}

std::string TorchEnvironment(int operator_threads) {
  return absl::StrCat("mixfeed " MIXFEED_VERSION ", cpu, libtorch ", TORCH_VERSION, " (",
                      ConfigValue("CPU capability usage:"), "), oneDNN ", ConfigValue("MKL-DNN v"),
                      OneDnnIsa(), ", ", BlasName(), ", compiler " __VERSION__ ", ",
                      operator_threads, " threads an operator");
}

}  // namespace mixfeed
