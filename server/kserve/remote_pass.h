#ifndef MIXFEED_SERVER_KSERVE_REMOTE_PASS_H_
#define MIXFEED_SERVER_KSERVE_REMOTE_PASS_H_

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/kserve/kserve_client.h"

namespace mixfeed {

// What one pass sends, and how.
struct RemotePassOptions {
  RemoteQuestion question;   // of all rows
  std::span<float> outputs;  // [rows][classes]
  int most_rows = 1;         // of one request
  bool exactly = false;      // every request has so many rows: the last one is filled up
  int requests_at_once = 1;  // under way
  std::chrono::milliseconds deadline{0};  // of a request
  std::function<void()> succeeded;        // told of every answer
  // Told of a request that failed in a way that may pass; sleeps and returns true for another try,
  // or returns false to give up.
  std::function<bool(const absl::Status&)> failed;
};

// One forward pass elsewhere: its rows in requests of a bounded size, several of them under way at
// once. Requests that the server finds too large are halved. Asking twice is safe, so a request is
// sent again whenever its failure may pass. For one thread.
class RemotePass {
 public:
  explicit RemotePass(const KserveClient& client, RemotePassOptions options);

  // Writes the outputs; some may be written, too, when it fails. Aborted when not all rows were
  // answered by the same version; else the status of the request that ended it.
  absl::Status Run();

  // Whether another try of a request that failed so may go better.
  static bool MayPass(const absl::Status& status);

  // After Run: who answered, and the rows of the largest request that the server took.
  const std::string& version() const { return *version_; }
  int most_rows() const { return most_rows_; }

 private:
  struct Part {
    int first = 0;
    int rows = 0;
  };
  struct Inbox;

  void Send(const Part& part);
  absl::Status Take(const Part& part, absl::StatusOr<RemoteAnswer> answer);
  absl::Status TakeFailure(const Part& part, const absl::Status& status);

  const KserveClient& client_;
  const RemotePassOptions options_;
  const std::shared_ptr<Inbox> inbox_;
  int most_rows_;
  int unanswered_;  // rows
  int under_way_ = 0;
  std::deque<Part> to_send_;
  std::optional<std::string> version_;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_KSERVE_REMOTE_PASS_H_
