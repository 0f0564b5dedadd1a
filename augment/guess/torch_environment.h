#ifndef MIXFEED_AUGMENT_GUESS_TORCH_ENVIRONMENT_H_
#define MIXFEED_AUGMENT_GUESS_TORCH_ENVIRONMENT_H_

#include <string>

namespace mixfeed {

// Sets how many threads LibTorch and its BLAS use inside an operator that this thread calls.
void SetOperatorThreads(int threads);

// Everything about this process that may change the last bits of a forward pass, but for the model:
// "mixfeed 0.1.0, cpu, libtorch 1.13.0 (AVX2), oneDNN 2.6.3 (isa 0xe7), OpenBLAS 0.3.21 ...,
// compiler 12.2.0, 1 threads an operator".
std::string TorchEnvironment(int operator_threads);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_TORCH_ENVIRONMENT_H_
