#include "server/kserve/kserve_model.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/status_macros.h"
#include "augment/guess/not_yet.h"
#include "augment/target/target.h"
#include "server/kserve/remote_pass.h"

namespace mixfeed {
namespace {

using std::chrono::milliseconds;

// How often a pass is tried whose rows different versions have answered.
constexpr int kMostPasses = 3;

// Of the two calls of a probe together.
constexpr milliseconds kProbeDeadline(2000);

constexpr char kNeedsRunning[] =
    ": a model that another server runs cannot be asked for batch statistics; set "
    "recipe.guess.batch_statistics to false in the feed's spec (`--statistics running`)";

std::string ListTensors(const std::vector<RemoteTensor>& tensors) {
  return absl::StrJoin(tensors, ", ", [](std::string* out, const RemoteTensor& tensor) {
    absl::StrAppend(out, tensor.Text());
  });
}

// Whether it is one FP32 tensor of any number of rows, or a fixed one, of `row`.
bool IsRowsOf(const std::vector<RemoteTensor>& tensors, const std::vector<int64_t>& row) {
  if (tensors.size() != 1 || tensors[0].datatype != "FP32") return false;
  const std::vector<int64_t>& shape = tensors[0].shape;
  if (shape.size() != row.size() + 1 || (shape[0] != -1 && shape[0] < 1)) return false;
  return std::equal(row.begin(), row.end(), shape.begin() + 1,
                    [](int64_t wanted, int64_t given) { return given == -1 || given == wanted; });
}

// In place, in double precision.
void Softmax(std::span<float> row) {
  const double largest = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const float logit : row) sum += std::exp(logit - largest);
  for (float& value : row) value = static_cast<float>(std::exp(value - largest) / sum);
}

bool AllFinite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

}  // namespace

absl::StatusOr<std::shared_ptr<KserveModel>> KserveModel::Create(GuessModelInfo info,
                                                                 const std::string& address,
                                                                 const KserveOptions& options,
                                                                 KserveClock* clock,
                                                                 std::function<void()> opened) {
  MIXFEED_ASSIGN_OR_RETURN(KserveAddress parsed, ParseKserveAddress(address));
  return std::shared_ptr<KserveModel>(
      new KserveModel(std::move(info), std::move(parsed), options, clock, std::move(opened)));
}

KserveModel::KserveModel(GuessModelInfo info, KserveAddress address, const KserveOptions& options,
                         KserveClock* clock, std::function<void()> opened)
    : info_(std::move(info)),
      address_(std::move(address)),
      options_(options),
      client_(address_),
      clock_(clock),
      opened_(std::move(opened)),
      breaker_(options.breaker, std::random_device()()),
      version_(address_.version) {
  most_rows_ =
      static_cast<int>(std::clamp<int64_t>(options.most_bytes / row_bytes(), 1, options.most_rows));
}

int64_t KserveModel::row_bytes() const {
  return info_.input.pixels() * static_cast<int64_t>(sizeof(float));
}

std::string KserveModel::environment() const {
  MutexLock lock(&mu_);
  return absl::StrCat(address_.Url(), " version ", version_.empty() ? "unknown" : version_,
                      " platform ", platform_.empty() ? "unknown" : platform_);
}

absl::Status KserveModel::Ready() const {
  MutexLock lock(&mu_);
  return breaker_.open() ? Away() : absl::OkStatus();
}

std::optional<KserveClock::Time> KserveModel::probe_at() const {
  MutexLock lock(&mu_);
  if (!breaker_.open()) return std::nullopt;
  return breaker_.probe_at();
}

absl::Status KserveModel::Away() const {
  return NotYetError(absl::StrCat("guess model ", info_.name, " does not answer at ",
                                  address_.Url(), " (", absl::StatusCodeToString(failure_.code()),
                                  ": ", std::string(failure_.message()), "), and is tried again"));
}

absl::Status KserveModel::WithName(const absl::Status& status) const {
  if (status.ok() || IsNotYet(status)) return status;
  return {status.code(), absl::StrCat("guess model ", info_.name, " at ", address_.Url(), ": ",
                                      std::string(status.message()))};
}

absl::Status KserveModel::CheckSizes(size_t views, int rows, size_t probabilities) const {
  if (rows >= 1 && std::cmp_equal(views, rows * info_.input.pixels()) &&
      std::cmp_equal(probabilities, int64_t{rows} * info_.classes)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      views, " floats in and ", probabilities, " out for ", rows, " rows; it takes ",
      info_.input.pixels(), " and gives ", info_.classes, " a row, and at least 1 row"));
}

absl::Status KserveModel::Guess(std::span<const float> views, int rows, bool batch_statistics,
                                std::span<float> probabilities) {
  if (batch_statistics) {
    return absl::FailedPreconditionError(absl::StrCat("guess model ", info_.name, kNeedsRunning));
  }
  MIXFEED_RETURN_IF_ERROR(WithName(CheckSizes(views.size(), rows, probabilities.size())));
  absl::Status status;
  for (int passes = 0; passes < kMostPasses; ++passes) {
    MIXFEED_RETURN_IF_ERROR(Ready());
    MIXFEED_ASSIGN_OR_RETURN(const Remote remote, KnownRemote());
    status = Pass(remote, views, rows, probabilities);
    if (!absl::IsAborted(status)) break;
  }
  if (status.ok()) status = ToProbabilities(probabilities);
  return WithName(status);
}

absl::Status KserveModel::GuessPasses(std::span<const float> views, int passes, int rows,
                                      bool batch_statistics, std::span<float> probabilities) {
  return Guess(views, passes * rows, batch_statistics, probabilities);
}

absl::StatusOr<KserveModel::Remote> KserveModel::KnownRemote() {
  {
    MutexLock lock(&mu_);
    if (remote_) return *remote_;
  }
  MIXFEED_RETURN_IF_ERROR(Probe(stop_.get_token()));
  MutexLock lock(&mu_);
  if (remote_) return *remote_;
  return Away();
}

void KserveModel::Stop() {
  stop_.request_stop();
  client_.Stop();
}

absl::Status KserveModel::Probe(const std::stop_token& stop) {
  const absl::StatusOr<RemoteModel> model = client_.Describe(kProbeDeadline, stop);
  bool opened = false;
  absl::Status status;
  {
    MutexLock lock(&mu_);
    if (model.ok()) {
      absl::StatusOr<Remote> remote = CheckTensors(*model);
      if (breaker_.open()) breaker_.CloseOnTrial();
      platform_ = model->platform;
      if (address_.version.empty() && model->versions.size() == 1) version_ = model->versions[0];
      remote_.reset();
      status = WithName(remote.status());
      if (remote.ok()) remote_ = *std::move(remote);
    } else {
      breaker_.Open(clock_->Now());
      failure_ = model.status();
      remote_.reset();
      opened = true;
      status = Away();
    }
  }
  if (opened) opened_();
  return status;
}

absl::StatusOr<KserveModel::Remote> KserveModel::CheckTensors(const RemoteModel& model) const {
  const ImageShape& image = info_.input;
  const bool fits = IsRowsOf(model.inputs, {image.channels, image.height, image.width}) &&
                    IsRowsOf(model.outputs, {info_.classes});
  if (!fits) {
    return absl::FailedPreconditionError(absl::StrCat(
        "takes (", ListTensors(model.inputs), ") and gives (", ListTensors(model.outputs),
        "); wanted are one input FP32 [-1, ", image.channels, ", ", image.height, ", ", image.width,
        "] and one output FP32 [-1, ", info_.classes, "]"));
  }
  const int64_t rows = std::max<int64_t>(0, model.inputs[0].shape[0]);
  const int64_t most = std::max<int64_t>(1, options_.most_fixed_bytes / row_bytes());
  if (rows > most) {
    return absl::FailedPreconditionError(absl::StrCat(
        "takes ", rows, " rows in every request (", ListTensors(model.inputs),
        "); allowed: -1, or at most ", most, ", ", options_.most_fixed_bytes, " bytes of images"));
  }
  return Remote{.input = model.inputs[0].name,
                .output = model.outputs[0].name,
                .rows = static_cast<int>(rows)};
}

absl::Status KserveModel::Pass(const Remote& remote, std::span<const float> views, int rows,
                               std::span<float> outputs) {
  const KserveClock::Time began = clock_->Now();
  RemotePassOptions options;
  options.question = {.input = remote.input,
                      .output = remote.output,
                      .rows = rows,
                      .image = info_.input,
                      .classes = info_.classes,
                      .views = views};
  options.outputs = outputs;
  options.exactly = remote.rows > 0;
  options.requests_at_once = options_.requests_at_once;
  options.deadline = milliseconds(address_.deadline_ms);
  options.succeeded = [this] {
    MutexLock lock(&mu_);
    breaker_.Succeeded();
  };
  options.failed = [&](const absl::Status& failure) { return MayTryAgain(failure, began); };
  {
    MutexLock lock(&mu_);
    options.most_rows = remote.rows > 0 ? remote.rows : most_rows_;
  }
  RemotePass pass(client_, std::move(options));
  const absl::Status status = pass.Run();
  MutexLock lock(&mu_);
  if (status.ok()) {
    if (!pass.version().empty()) version_ = pass.version();
    if (remote.rows == 0) most_rows_ = std::min(most_rows_, pass.most_rows());
    return status;
  }
  return RemotePass::MayPass(status) && !absl::IsAborted(status) ? Away() : status;
}

bool KserveModel::MayTryAgain(const absl::Status& failure, KserveClock::Time began) {
  milliseconds pause(0);
  bool opened = false;
  {
    MutexLock lock(&mu_);
    if (breaker_.open()) return false;
    const KserveClock::Time now = clock_->Now();
    if (stop_.stop_requested() ||
        now - began >= options_.pass_deadlines * milliseconds(address_.deadline_ms)) {
      breaker_.Open(now);
    } else {
      breaker_.Failed(now);
    }
    opened = breaker_.open();
    if (opened) {
      failure_ = failure;
      remote_.reset();
    } else {
      pause = breaker_.RetryPause();
    }
  }
  if (opened) {
    opened_();
  } else {
    clock_->Sleep(pause);
  }
  return !opened;
}

absl::Status KserveModel::ToProbabilities(std::span<float> outputs) const {
  if (!AllFinite(outputs)) {
    return absl::DataLossError("its output has values that are not finite");
  }
  if (address_.output == KserveAddress::Output::kProbabilities) {
    const absl::Status status = CheckProbabilities(outputs, info_.classes);
    if (status.ok()) return status;
    return absl::DataLossError(
        absl::StrCat(std::string(status.message()),
                     "; register it without output=probabilities if it gives "
                     "logits"));
  }
  const auto classes = static_cast<size_t>(info_.classes);
  for (size_t first = 0; first < outputs.size(); first += classes) {
    Softmax(outputs.subspan(first, classes));
  }
  return absl::OkStatus();
}

}  // namespace mixfeed
