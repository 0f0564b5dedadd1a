#ifndef MIXFEED_CLIENT_TRAIN_REPORT_H_
#define MIXFEED_CLIENT_TRAIN_REPORT_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "augment/figure/chart.h"
#include "client/cli/console.h"
#include "client/look/json.h"

namespace mixfeed {

// What is told of an update.
struct UpdateReport {
  uint64_t update = 0;  // updates done
  double loss = 0, labelled_loss = 0, unlabelled_loss = 0, unlabelled_weight = 0;
  double rate = 0;    // learning rate
  uint64_t rows = 0;  // over all batches and processes
  // Of a feed that guesses.
  std::optional<double> confidence = {};
  uint64_t guess_version = 0;
  uint64_t guess_age = 0;
};

// What is told of a pass over the test images.
struct EvalReport {
  uint64_t update = 0;
  double accuracy = 0;  // 0..1
  double loss = 0;      // mean cross-entropy, nats
  uint64_t images = 0;
};

struct ReportOptions {
  bool json = false;
  uint64_t steps = 1;       // updates of the whole training
  uint64_t log_every = 10;  // updates between lines
  std::string png;          // empty: none
};

// Tells how a training goes: on a terminal a bar, else lines, or JSON objects in lines; and draws
// it. Not thread safe.
class TrainReport {
 public:
  TrainReport(Console* console, const ReportOptions& options);

  // Unavailable, when the output cannot be written.
  absl::Status Begin(uint64_t update, const Json& what);
  absl::Status Updated(const UpdateReport& report);
  // What follows, up to Evaluated, does not count in images/s and in the time that is left.
  void StopClock();
  absl::Status Evaluated(const EvalReport& report);
  // The update of the newest evaluation, restored ones included; nothing without one.
  std::optional<uint64_t> evaluated() const;
  absl::Status Saved(const std::string& path, uint64_t update);
  // Also draws what there is. InvalidArgument, once it is told, for a picture that cannot be
  // written.
  absl::Status End(uint64_t update, bool interrupted);

  // What was told so far, for a training that goes on: up to 8,192 lines of updates, of those of a
  // longer training some at equal distances. Restore ignores what it does not know.
  Json History() const;
  void Restore(const Json& history);

 private:
  struct Rate {
    std::chrono::steady_clock::time_point start;  // later by the pauses
    std::chrono::steady_clock::time_point paused;
    uint64_t updates = 0;
    uint64_t rows = 0;
  };
  void Remember(const UpdateReport& report);
  absl::Status Line(const Json& json, const std::string& text);
  absl::Status Draw() const;
  double Seconds() const;
  double ImagesASecond() const;
  std::string BarText(const UpdateReport& report) const;

  Console* const console_;
  const ReportOptions options_;
  std::optional<Progress> bar_;
  Rate rate_;
  uint64_t stride_ = 1;                // of the lines that are kept
  std::vector<UpdateReport> updates_;  // of those lines
  std::vector<EvalReport> evals_;
};

// Accuracy and guess confidence, and the parts of the loss, over updates; what there is of them.
Figure MakeTrainFigure(const std::vector<UpdateReport>& updates,
                       const std::vector<EvalReport>& evals);

// As MixMatch's official code reports: the median accuracy of the last 20 evaluations, of those
// there are; nothing without one.
std::optional<double> MedianOfLast(const std::vector<EvalReport>& evals);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_TRAIN_REPORT_H_
