// mixfeed-try-model MEMORY_LIMIT_BYTES: the child of TryModelInChild. Reads a model source from
// standard input, loads and checks it, writes its finding to standard output.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <iostream>
#include <iterator>
#include <string>

#include "augment/guess/torch_runtime.h"
#include "augment/guess/trial_protocol.h"

namespace mixfeed {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kCanLimitMemory = false;  // its shadow memory takes 16 TiB of address space
#elif defined(__has_feature)
constexpr bool kCanLimitMemory = !__has_feature(address_sanitizer);
#else
constexpr bool kCanLimitMemory = true;
#endif

// Limits this process before the model's code runs: its memory, no core file, and no life after
// the parent's.
void LimitThisProcess(rlim_t memory_limit_bytes) {
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit memory{memory_limit_bytes, memory_limit_bytes};
  if (kCanLimitMemory && memory_limit_bytes > 0) setrlimit(RLIMIT_AS, &memory);
}

absl::Status TryModel(const std::string& bytes) {
  const absl::StatusOr<ModelSource> source = DecodeModelSource(bytes);
  if (!source.ok()) return source.status();
  TorchRuntime runtime(/*guess_threads=*/1);
  return runtime.Load(*source).status();
}

int Main(const std::string& memory_limit) {
  rlim_t bytes = 0;
  const auto parsed =
      std::from_chars(memory_limit.data(), memory_limit.data() + memory_limit.size(), bytes);
  if (parsed.ec != std::errc() || parsed.ptr != memory_limit.data() + memory_limit.size()) {
    std::cerr << "MEMORY_LIMIT_BYTES is \"" << memory_limit
              << "\"; allowed: whole numbers from 0\n";
    return 2;
  }
  LimitThisProcess(bytes);
  const std::string source((std::istreambuf_iterator<char>(std::cin)), {});
  std::cout << EncodeFinding({TryModel(source)}) << std::flush;
  return std::cout ? 0 : 1;
}

}  // namespace
}  // namespace mixfeed

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "mixfeed-server starts this program to try guess models; it is of no other use.\n";
    return 2;
  }
  return mixfeed::Main(argv[1]);
}
