#include "server/kserve/remote_pass.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "augment/base/mutex.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

constexpr char kMessageTooLarge[] = "larger than max";  // gRPC's words

// Triton answers InvalidArgument to a batch above its model's max_batch_size, and the protocol has
// no way to ask for that number.
bool MayBeTooLarge(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || (absl::IsResourceExhausted(status) &&
                                             absl::StrContains(status.message(), kMessageTooLarge));
}

}  // namespace

// Where answers arrive; outlives a pass that has given up.
struct RemotePass::Inbox {
  Mutex mu;
  CondVar arrived;
  std::deque<std::pair<Part, absl::StatusOr<RemoteAnswer>>> answers ABSL_GUARDED_BY(mu);

  void Put(const Part& part, absl::StatusOr<RemoteAnswer> answer) {
    MutexLock lock(&mu);
    answers.emplace_back(part, std::move(answer));
    arrived.NotifyOne();
  }

  std::pair<Part, absl::StatusOr<RemoteAnswer>> Wait() {
    MutexLock lock(&mu);
    while (answers.empty()) arrived.Wait(&mu);
    auto answer = std::move(answers.front());
    answers.pop_front();
    return answer;
  }
};

RemotePass::RemotePass(const KserveClient& client, RemotePassOptions options)
    : client_(client),
      options_(std::move(options)),
      inbox_(std::make_shared<Inbox>()),
      most_rows_(options_.most_rows),
      unanswered_(options_.question.rows) {
  for (int first = 0; first < options_.question.rows; first += most_rows_) {
    to_send_.push_back({first, std::min(most_rows_, options_.question.rows - first)});
  }
}

bool RemotePass::MayPass(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:       // no connection, or the model is not ready
    case absl::StatusCode::kCancelled:         // by a server that stops
    case absl::StatusCode::kDeadlineExceeded:  // too slow, this time
    case absl::StatusCode::kNotFound:          // a server that starts loads its models one by one
    case absl::StatusCode::kAborted:
      return true;
    case absl::StatusCode::kResourceExhausted:  // its queue is full
      return !MayBeTooLarge(status);
    default:
      return false;
  }
}

absl::Status RemotePass::Run() {
  while (unanswered_ > 0) {
    while (!to_send_.empty() && under_way_ < options_.requests_at_once) {
      const Part part = to_send_.front();
      to_send_.pop_front();
      Send(part);
    }
    auto [part, answer] = inbox_->Wait();
    --under_way_;
    MIXFEED_RETURN_IF_ERROR(Take(part, std::move(answer)));
  }
  return absl::OkStatus();
}

void RemotePass::Send(const Part& part) {
  const auto pixels = static_cast<size_t>(options_.question.image.pixels());
  RemoteQuestion question = options_.question;
  question.rows = options_.exactly ? options_.most_rows : part.rows;
  question.views = options_.question.views.subspan(static_cast<size_t>(part.first) * pixels,
                                                   static_cast<size_t>(part.rows) * pixels);
  std::vector<float> filled;
  if (question.rows > part.rows) {
    filled.assign(question.views.begin(), question.views.end());
    filled.resize(static_cast<size_t>(question.rows) * pixels);
    question.views = filled;
  }
  ++under_way_;
  client_.Ask(question, options_.deadline,
              [inbox = inbox_, part](absl::StatusOr<RemoteAnswer> answer) {
                inbox->Put(part, std::move(answer));
              });
}

absl::Status RemotePass::Take(const Part& part, absl::StatusOr<RemoteAnswer> answer) {
  if (!answer.ok()) return TakeFailure(part, answer.status());
  options_.succeeded();
  if (!version_) version_ = answer->version;
  if (*version_ != answer->version) {
    return absl::AbortedError(
        absl::StrCat("its versions ", *version_, " and ", answer->version, " answer in turn"));
  }
  const auto classes = static_cast<size_t>(options_.question.classes);
  std::copy_n(answer->outputs.begin(), static_cast<size_t>(part.rows) * classes,
              options_.outputs.begin() +
                  static_cast<std::ptrdiff_t>(static_cast<size_t>(part.first) * classes));
  unanswered_ -= part.rows;
  return absl::OkStatus();
}

absl::Status RemotePass::TakeFailure(const Part& part, const absl::Status& status) {
  if (MayPass(status)) {
    if (!options_.failed(status)) return status;
    to_send_.push_front(part);
    return absl::OkStatus();
  }
  if (!MayBeTooLarge(status) || options_.exactly || part.rows == 1) return status;
  const int half = (part.rows + 1) / 2;
  most_rows_ = std::min(most_rows_, half);
  to_send_.push_front({part.first + half, part.rows - half});
  to_send_.push_front({part.first, half});
  return absl::OkStatus();
}

}  // namespace mixfeed
