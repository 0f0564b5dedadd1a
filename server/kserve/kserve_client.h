#ifndef MIXFEED_SERVER_KSERVE_KSERVE_CLIENT_H_
#define MIXFEED_SERVER_KSERVE_KSERVE_CLIENT_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/pool/dataset.h"
#include "server/kserve/address.h"

namespace mixfeed {

// A tensor as a model's server describes it.
struct RemoteTensor {
  std::string name;
  std::string datatype;        // "FP32", ...
  std::vector<int64_t> shape;  // -1: any size

  std::string Text() const;  // "views FP32 [-1, 3, 32, 32]"
};

struct RemoteModel {
  std::vector<std::string> versions;
  std::string platform;
  std::vector<RemoteTensor> inputs;
  std::vector<RemoteTensor> outputs;
};

// One request for a model's output.
struct RemoteQuestion {
  std::string input;  // names of the tensors
  std::string output;
  int rows = 0;
  ImageShape image;
  int classes = 0;
  std::span<const float> views;  // [rows][C][H][W]
};

struct RemoteAnswer {
  std::string version;         // that answered; may be empty
  std::vector<float> outputs;  // [rows][classes]
};

// Asks one model of a server that speaks the KServe v2 protocol over gRPC, without TLS. Connects
// when it is first asked, and again, within a second of every loss, when it is asked then. Tries
// nothing twice. Thread safe.
class KserveClient {
 public:
  explicit KserveClient(const KserveAddress& address);
  ~KserveClient();
  KserveClient(const KserveClient&) = delete;
  KserveClient& operator=(const KserveClient&) = delete;

  using Milliseconds = std::chrono::milliseconds;

  // What the server says of the model, once it is ready. Waits for the answer; Cancelled when
  // `stop` is requested. Unavailable for a model that is not ready; else the call's error.
  absl::StatusOr<RemoteModel> Describe(Milliseconds deadline, const std::stop_token& stop) const;

  // Calls `done` once, on a thread of the client's, which it must not block, and at the latest,
  // with Cancelled, when the client ends. The views are copied before this returns. DataLoss for an
  // answer that is not [rows][classes] of FP32; else the call's error.
  void Ask(const RemoteQuestion& question, Milliseconds deadline,
           std::function<void(absl::StatusOr<RemoteAnswer>)> done) const;

  // Ends the questions under way, and all to come, with Cancelled.
  void Stop() const;

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_KSERVE_KSERVE_CLIENT_H_
