#ifndef MIXFEED_SERVER_KSERVE_KSERVE_MODEL_H_
#define MIXFEED_SERVER_KSERVE_KSERVE_MODEL_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/base/mutex.h"
#include "augment/guess/guess_model.h"
#include "server/kserve/circuit_breaker.h"
#include "server/kserve/kserve_client.h"
#include "server/kserve/kserve_clock.h"

namespace mixfeed {

// GuessModelInfo::kind of a model that another server runs.
inline constexpr char kKserveKind[] = "kserve";

// How a model elsewhere is asked; what differs from one to another is in its KserveAddress.
struct KserveOptions {
  int most_rows = 256;           // of one request
  int64_t most_bytes = 3 << 20;  // of one request's images; gRPC servers refuse 4 MiB and more
  // Of one request's images to a model that takes a fixed number of rows; one that takes more is
  // refused, since every request is filled up.
  int64_t most_fixed_bytes = 64 << 20;
  int requests_at_once = 4;  // of one pass
  int pass_deadlines = 3;    // a pass is given up after so many deadlines of a request
  CircuitBreaker::Options breaker = {};
};

// A guess model that another server runs, asked over the KServe v2 protocol with running
// statistics: a pass goes in requests of at most most_rows rows, requests_at_once under way. A
// request whose failure may pass is sent again after a pause, until failures_to_open have failed in
// a row or the pass has taken too long: then the circuit is open, and until a probe has gone well
// every guess is NotYetError at once, with the last failure in its message. What the server has
// for tensors is looked at before the first guess and in every probe. Thread safe.
class KserveModel final : public GuessModel {
 public:
  // `info.environment` is not read. `clock` must outlive it; so must what `opened` uses, which is
  // called, without a lock, whenever the circuit opens. Asks nobody. InvalidArgument: the address.
  static absl::StatusOr<std::shared_ptr<KserveModel>> Create(GuessModelInfo info,
                                                             const std::string& address,
                                                             const KserveOptions& options,
                                                             KserveClock* clock,
                                                             std::function<void()> opened);

  const GuessModelInfo& info() const override { return info_; }

  // "kserve://HOST:PORT/MODEL version 1 platform python".
  std::string environment() const override;

  absl::Status Ready() const override;

  // Besides GuessModel's: FailedPrecondition with batch statistics, and for a model whose tensors
  // are not one FP32 input [rows, C, H, W] and one FP32 output [rows, classes], or that takes more
  // rows than most_fixed_bytes allow.
  absl::Status Guess(std::span<const float> views, int rows, bool batch_statistics,
                     std::span<float> probabilities) override;

  // One pass over all rows, which running statistics allow: the same, in fewer requests.
  absl::Status GuessPasses(std::span<const float> views, int passes, int rows,
                           bool batch_statistics, std::span<float> probabilities) override;

  // Asks what the model is, and whether it answers. FailedPrecondition as Guess, the circuit
  // closed; NotYetError, the circuit open for longer, while the server does not answer.
  absl::Status Probe(const std::stop_token& stop = {});

  // For the end of the server: guesses under way, and all to come, are NotYetError within a pause
  // of the breaker, however long their server takes.
  void Stop();

  // When Probe is due; none while the circuit is closed.
  std::optional<KserveClock::Time> probe_at() const;

 private:
  // What is known of the model there.
  struct Remote {
    std::string input;
    std::string output;
    int rows = 0;  // of every request; 0: any number
  };

  KserveModel(GuessModelInfo info, KserveAddress address, const KserveOptions& options,
              KserveClock* clock, std::function<void()> opened);
  int64_t row_bytes() const;  // of one image
  absl::Status CheckSizes(size_t views, int rows, size_t probabilities) const;
  absl::StatusOr<Remote> KnownRemote();
  absl::StatusOr<Remote> CheckTensors(const RemoteModel& model) const;
  // Fills `outputs`; Aborted as RemotePass::Run.
  absl::Status Pass(const Remote& remote, std::span<const float> views, int rows,
                    std::span<float> outputs);
  // A request of a pass that began then has failed: whether to try it again, after a pause.
  bool MayTryAgain(const absl::Status& failure, KserveClock::Time began);
  absl::Status ToProbabilities(std::span<float> outputs) const;
  absl::Status Away() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status WithName(const absl::Status& status) const;

  const GuessModelInfo info_;
  const KserveAddress address_;
  const KserveOptions options_;
  const KserveClient client_;
  KserveClock* const clock_;
  std::stop_source stop_;
  const std::function<void()> opened_;

  mutable Mutex mu_;
  CircuitBreaker breaker_ ABSL_GUARDED_BY(mu_);
  absl::Status failure_ ABSL_GUARDED_BY(mu_);  // that opened it
  std::optional<Remote> remote_ ABSL_GUARDED_BY(mu_);
  std::string platform_ ABSL_GUARDED_BY(mu_);  // as of the last answers, both
  std::string version_ ABSL_GUARDED_BY(mu_);
  int most_rows_ ABSL_GUARDED_BY(mu_);  // that the server has taken in one request
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_KSERVE_KSERVE_MODEL_H_
