#ifndef MIXFEED_CLIENT_TRAIN_CHECKPOINT_H_
#define MIXFEED_CLIENT_TRAIN_CHECKPOINT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/weights/state_dict.h"

// A checkpoint is one file. All numbers are little-endian:
//   0   8 bytes "MIXFEEDC"
//   8   uint64 version of the form, 1
//   16  uint64 length of the description
//   24  uint64 length of the tensors
//   32  32 lower-case hex digits, XXH3-128 of all other bytes
//   64  the description: a JSON object
//       the tensors in the safetensors form
namespace mixfeed {

struct Checkpoint {
  std::string description;
  StateDict tensors;
};

// Writes the file durably: afterwards, also if the machine fails, either the file that was there or
// the new one is, whole. Internal, with the file's name, when it cannot be written.
absl::Status WriteCheckpoint(const std::string& path, const std::string& description,
                             const std::string& safetensors);

// The file's bytes. Errors are ReadWholeFile's (augment/pool/file_io.h), with the file's name.
absl::StatusOr<std::string> ReadCheckpointFile(const std::string& path);

// Errors name the file and the field: InvalidArgument for a file that is no checkpoint, or of
// another version; DataLoss for one that is damaged or cut short.
absl::StatusOr<Checkpoint> ParseCheckpoint(const std::string& path, const std::string& bytes);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_TRAIN_CHECKPOINT_H_
