#ifndef MIXFEED_SERVER_KSERVE_KSERVE_RUNTIME_H_
#define MIXFEED_SERVER_KSERVE_KSERVE_RUNTIME_H_

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/base/mutex.h"
#include "augment/guess/guess_model.h"
#include "server/kserve/kserve_model.h"

namespace mixfeed {

// The models of a server that other servers run, and the one thread that probes those whose circuit
// is open, one after the other, each for 2 seconds at most. Thread safe.
class KserveRuntime {
 public:
  explicit KserveRuntime(const KserveOptions& options = {});
  ~KserveRuntime();
  KserveRuntime(const KserveRuntime&) = delete;
  KserveRuntime& operator=(const KserveRuntime&) = delete;

  // Asks the model's server what it has, and for a guess of a few random images. Errors:
  // InvalidArgument (address); what KserveModel::Probe and Guess return; Cancelled when `stop` was
  // requested.
  absl::Status Try(const GuessModelInfo& info, const std::string& address,
                   const std::stop_token& stop);

  // Asks nobody: it works while the model's server is away. The model must not outlive the runtime.
  // InvalidArgument: the address.
  absl::StatusOr<std::shared_ptr<GuessModel>> Load(const GuessModelInfo& info,
                                                   const std::string& address);

  // Called on the runtime's thread, without a lock that the models take, whenever one of them
  // answers again. When this returns, no call of what was set before is under way.
  void SetReturned(std::function<void()> returned);

  // KserveModel::Stop of all models.
  void Stop();

 private:
  using Models = std::vector<std::shared_ptr<KserveModel>>;

  void ProbeUntilStopped(const std::stop_token& stop);
  // The models whose probe is due; waits until there is one. Empty: to stop.
  Models WaitForDue(const std::stop_token& stop);

  const KserveOptions options_;
  KserveClock clock_;

  Mutex returned_mu_;  // held while returned_ runs
  std::function<void()> returned_ ABSL_GUARDED_BY(returned_mu_) = [] {};

  Mutex mu_;
  CondVar changed_;  // a circuit opened, or the end
  std::vector<std::weak_ptr<KserveModel>> models_ ABSL_GUARDED_BY(mu_);

  std::jthread prober_;  // the last member: it uses all others
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_KSERVE_KSERVE_RUNTIME_H_
