#ifndef MIXFEED_CLIENT_TRAIN_PROCESS_GROUP_H_
#define MIXFEED_CLIENT_TRAIN_PROCESS_GROUP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mixfeed {

struct ProcessGroupOptions {
  uint32_t rank = 0;   // 0..world-1; every process another one
  uint32_t world = 2;  // processes, 1..1024
  // Where they meet: HOST:PORT, where rank 0 listens and whose host's network the others reach it
  // through; or file:PATH, a file that all can write to and that is not there at the start.
  std::string rendezvous = {};
  int64_t timeout_ms = 300'000;  // of meeting
  // Of waiting for the others in each call: one of them may evaluate, or wait for the server. One
  // that has ended is noticed at once, by its closed connection; one whose machine is gone, then.
  int64_t call_timeout_ms = 86'400'000;
  std::function<void()> waits = [] {};  // called when all is sound and the others are waited for
};

// Processes that train together, joined by Gloo (LibTorch's c10d). All make the same calls in the
// same order. After an error the group is of no more use: Unavailable, when a process is gone or
// has not come in time. Not thread safe.
class ProcessGroup {
 public:
  // Waits for all. InvalidArgument names the field.
  static absl::StatusOr<std::unique_ptr<ProcessGroup>> Join(const ProcessGroupOptions& options);
  virtual ~ProcessGroup() = default;

  // Element by element the sum over all processes, the same bits in each.
  virtual absl::Status Sum(std::span<float> values) = 0;
  // What rank 0 has, for all.
  virtual absl::Status Share(std::string* bytes) = 0;

  virtual uint32_t rank() const = 0;
  virtual uint32_t world() const = 0;
};

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_TRAIN_PROCESS_GROUP_H_
