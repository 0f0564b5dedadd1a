#ifndef MIXFEED_SERVER_CORE_MODEL_STORE_H_
#define MIXFEED_SERVER_CORE_MODEL_STORE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "mixfeed/v1/model.pb.h"

namespace mixfeed {

// A registered model as it is kept on disk.
struct StoredModel {
  uint64_t version = 0;            // counts registrations under header.name
  v1::RegisterModelHeader header;  // resolved: classes, image and normalisation are set
  std::string archive;
};

// A directory with the newest version of every registered model, one file each: the header's length
// in 4 bytes, little-endian, the header, the archive. Not thread safe.
class ModelStore {
 public:
  // Makes the directory where it is missing, and removes files that were not finished.
  static absl::StatusOr<ModelStore> Open(const std::string& directory);

  // Written whole or not at all; once it is safe on the disk, the name's older versions are
  // removed.
  absl::Status Put(const StoredModel& model) const;

  // The newest version of every name, in order of the names. A file that cannot be read is left out
  // with a warning in the log.
  absl::StatusOr<std::vector<StoredModel>> ReadAll() const;

 private:
  explicit ModelStore(std::string directory) : directory_(std::move(directory)) {}

  const std::string directory_;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_MODEL_STORE_H_
