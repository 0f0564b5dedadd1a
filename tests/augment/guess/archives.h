#ifndef MIXFEED_TESTS_AUGMENT_GUESS_ARCHIVES_H_
#define MIXFEED_TESTS_AUGMENT_GUESS_ARCHIVES_H_

#include <string>
#include <vector>

namespace mixfeed::testing {

// TorchScript archives for tests, made here so that no Python is needed. All but those that say
// otherwise take images [N][channels][H][W] of any size.

// The network of GoodArchive, small enough to be computed by hand: m = mean over the pixels of each
// channel, n = batch norm of m, logits = n W^T + b.
struct LinearNetwork {
  int channels = 3;
  int classes = 10;
  std::vector<float> norm_weight;   // [channels], gamma
  std::vector<float> norm_bias;     // [channels], beta
  std::vector<float> running_mean;  // [channels]
  std::vector<float> running_var;   // [channels]
  std::vector<float> weight;        // [classes][channels]
  std::vector<float> bias;          // [classes]
};
inline constexpr double kLinearNetworkEpsilon = 1e-5;

// Some network of that form; another for every seed.
LinearNetwork MakeLinearNetwork(int classes, int channels = 3, unsigned seed = 1);

// Passes every check. Its batch norm counts and remembers batches as PyTorch's does.
std::string LinearArchive(const LinearNetwork& network);
std::string GoodArchive(int classes, int channels = 3);

// Its weights in the safetensors form, under the names that LinearArchive has them by; `wide`: as
// float64. Without the batch norm's count of batches.
std::string LinearWeights(const LinearNetwork& network, bool wide = false);

// GoodArchive with dropout (p = 0.5) before the last layer.
std::string DropoutBatchNormArchive(int classes);

// GoodArchive whose output shows how many batches with batch statistics it has seen: the batch norm
// counts them in place, or puts new tensors in the place of its running ones.
std::string CountingArchive(int classes);
std::string RebindingArchive(int classes);

// GoodArchive whose forward writes into its input.
std::string InputWritingArchive(int classes);

// GoodArchive whose last layer is all zeros, as some people initialise it.
std::string ZeroHeadArchive(int classes);

// Frozen: the running statistics became constants.
std::string FrozenArchive(int classes);

// As torch.jit.trace leaves a model that was in eval mode: the modules and buffers are there, but
// the graph has `training = False`.
std::string EvalTracedArchive(int classes);

// As torch.jit.trace leaves a model that was in train mode: `training = True` in the graph, for the
// batch norm, or for a dropout (p = 0.5) behind an ordinary batch norm.
std::string TrainTracedArchive(int classes);
std::string BakedInDropoutArchive(int classes);

// GoodArchive with an InstanceNorm2d, which has running statistics, too, and whose output doubles
// when it is put into train mode.
std::string InstanceNormArchive(int classes);

// Its output shows a number, a fraction, a list and a tensor that every call changes.
std::string AttributeChangingArchive(int classes);

// GoodArchive that returns a part of a buffer of its own, for up to 256 images.
std::string BufferReturningArchive(int classes);

// Every call changes its last layer's weight.
std::string ParameterChangingArchive(int classes);

// Passes every check, and resizes a buffer in place on batches of more than `rows` images.
std::string ResizesBeyondArchive(int classes, int rows);

// GoodArchive with a method `features`: the image's first pixel, a number a channel.
std::string CornerFeaturesArchive(int classes);

// No batch norm.
std::string NoNormArchive(int classes);

std::string ThrowingArchive();                         // forward raises "the model says no"
std::string NanArchive(int classes);                   // all logits are NaN
std::string WrongClassesArchive(int classes);          // gives classes + 1 logits
std::string TupleArchive(int classes);                 // returns (logits, logits)
std::string IntegerArchive(int classes);               // returns int64 numbers
std::string FixedBatchArchive(int classes, int rows);  // takes batches of `rows` images only
std::string WrongInputArchive(int classes);            // wants 7 channels
std::string NoForwardArchive();

// Pass every check, and fail on batches of more than `rows` images.
std::string ThrowsBeyondArchive(int classes, int rows);  // raises "too many for me"
std::string NanBeyondArchive(int classes, int rows);

std::string HangingArchive();    // forward never returns
std::string MemoryHogArchive();  // forward takes memory without end

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_GUESS_ARCHIVES_H_
