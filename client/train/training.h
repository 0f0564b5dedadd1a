#ifndef MIXFEED_CLIENT_TRAIN_TRAINING_H_
#define MIXFEED_CLIENT_TRAIN_TRAINING_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "client/cli/flags.h"
#include "client/train/settings.h"

namespace mixfeed {

// How a process of a training goes about it; none of it changes the weights, but for threads.
struct TrainingOptions {
  std::string checkpoint;         // file; empty: none is written
  uint64_t checkpoint_every = 0;  // updates; 0: at the end only
  bool resume = false;            // go on from the checkpoint
  uint64_t eval_every = 100;      // updates; 0: never
  uint64_t log_every = 10;        // updates
  std::string png;
  bool rewind = false;     // PublisherOptions::rewind
  uint32_t rank = 0;       // below the settings' world
  std::string rendezvous;  // ProcessGroupOptions::rendezvous; needed in a world of two and more
  int threads = 0;         // LibTorch's; 0: one a core. The weights' last bits depend on it
};

// Trains until the last update, or until the console's interrupt, or that of another process: then
// the update that is under way is finished (one whose batch has not come is dropped) and the
// checkpoint is written. What it prints, and the files it writes, are those of rank 0. Returns
// whether it came to the last update.
absl::StatusOr<bool> Train(const TrainingOptions& options, const ServerFlags& server,
                           const SpecFlags& spec, const SettingFlags& settings, Console* console);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_TRAIN_TRAINING_H_
