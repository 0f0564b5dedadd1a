#ifndef MIXFEED_SERVER_CORE_MODEL_STORE_H_
#define MIXFEED_SERVER_CORE_MODEL_STORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "mixfeed/v1/model.pb.h"

namespace mixfeed {

// One file of weights as it is kept.
struct StoredFile {
  std::string digest;  // DigestOf (state_dict.h) its bytes; empty: there is none
  int64_t bytes = 0;

  friend bool operator==(const StoredFile&, const StoredFile&) = default;
};

// A version that was pushed to a model, as it is kept.
struct StoredWeights {
  std::string model;
  uint64_t version = 0;
  int64_t update = 0;
  StoredFile pushed;
  StoredFile ema;  // the moving average up to here, of models that keep one

  const StoredFile& file(bool of_ema) const { return of_ema ? ema : pushed; }
};

// A registered model as it is kept.
struct StoredModel {
  uint64_t version = 0;            // counts registrations and pushes under header.name
  v1::RegisterModelHeader header;  // resolved: classes, image and normalisation are set
  std::string archive;
  std::vector<StoredWeights> pushed;  // since, in order of the versions
};

// The latest registration of every model and the weights that were pushed to it. Not thread safe,
// but that ReadWeights may be called beside all others: of what goes meanwhile it says DataLoss.
class ModelStore {
 public:
  // A store in a directory, which is made where it is missing; files that were not finished are
  // removed. A registration is a file "v0-NAME.model", EncodeModel's bytes. Weights are a file
  // "v7-u120-DIGEST-NAME.safetensors", their average "v7-u120-ema-DIGEST-NAME.safetensors", so that
  // other programs can read them too.
  static absl::StatusOr<std::unique_ptr<ModelStore>> Open(const std::string& directory);
  virtual ~ModelStore() = default;

  // Written whole or not at all; once it is safe, the name's older versions are removed, and with
  // them the weights that were pushed to them. Aborted, with nothing changed, where a store that
  // several servers share has another version of the name than the one before this.
  virtual absl::Status Put(const StoredModel& model) = 0;

  // Written whole or not at all, with `ema`, the bytes of weights.ema, and safe when it returns.
  // Aborted as Put's.
  virtual absl::Status PutWeights(const StoredWeights& weights, const std::string& pushed,
                                  const std::string& ema) = 0;

  // The weights, or, if `ema`, their average. DataLoss when its bytes are not those of its digest,
  // or a file is gone; a damaged file is set aside ("*.damaged"). NotYetError
  // (augment/guess/not_yet.h) while the store cannot be reached.
  virtual absl::StatusOr<std::string> ReadWeights(const StoredWeights& weights, bool ema) = 0;

  virtual void RemoveWeights(const StoredWeights& weights) = 0;

  // The newest registration of every name, in order of the names; of those whose version `known`
  // has, nothing but the name, the version and what was pushed; likewise of those of which nothing
  // can be read, with an error in the log. A damaged file is set aside. Of what is lost the
  // version is there, without files, unless a later one is: its number is never given again.
  virtual absl::StatusOr<std::vector<StoredModel>> ReadAll(
      const std::map<std::string, uint64_t>& known) = 0;
};

// A registration's header and archive as bytes: 32 digits, DigestOf all that follows; the header's
// length in 4 bytes, little-endian; the header; the archive.
std::string EncodeModel(const StoredModel& model);

// DataLoss for bytes that are damaged, no such, or of another model than `name`.
absl::StatusOr<StoredModel> DecodeModel(std::string_view bytes, const std::string& name,
                                        uint64_t version);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_MODEL_STORE_H_
