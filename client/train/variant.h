#ifndef MIXFEED_CLIENT_TRAIN_VARIANT_H_
#define MIXFEED_CLIENT_TRAIN_VARIANT_H_

#include <cstdint>
#include <span>
#include <string>

namespace mixfeed {

// How a step's rows go through the network.
enum class RowPasses : uint8_t {
  kGroups,  // B rows at a time, each with batch statistics of its own
  kWhole,   // all at once
};

// In which form weights decay.
enum class DecayForm : uint8_t {
  kDecoupled,  // w *= 1 - weight_decay * learning rate, after the optimiser's step
  kGradient,   // L2: weight_decay * w is added to the gradient
};

// Which tensors decay.
enum class DecayScope : uint8_t {
  kKernels,     // parameters of two dimensions or more
  kParameters,  // biases and the scales of batch norms too
  kAll,         // running statistics too
};

// What a port of MixMatch does on the trainer's side: what the feed's recipe does not say. Numbers
// are defaults of flags. How to add one: a line in the table in variant.cc, with its source.
struct TrainerVariant {
  const char* name;
  const char* summary;  // what it does differently, for help
  const char* recipe;   // the feed's, unless it is given
  RowPasses passes = RowPasses::kGroups;
  bool interleave = true;           // rows are interleaved before the passes
  bool every_pass_updates = false;  // running statistics move with every pass, not the first only
  // The K passes of the guess move them too, on the views as they are before mixing, before the
  // training passes.
  bool guess_passes_update = false;
  bool average_statistics = false;  // the EMA is of running statistics too
  DecayForm decay_form = DecayForm::kDecoupled;
  DecayScope decay_scope = DecayScope::kKernels;
  const char* optimiser = "adam";
  const char* rate = "0.002";
  const char* schedule = "constant";
  const char* ema = "0.999";
  const char* weight_decay = "0.02";
};

// "official" first.
std::span<const TrainerVariant> TrainerVariants();

// Null when there is none of that name.
const TrainerVariant* FindVariant(const std::string& name);

// That of a recipe "mixmatch/NAME"; "official" for all others.
const TrainerVariant& VariantOfRecipe(const std::string& recipe);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_TRAIN_VARIANT_H_
