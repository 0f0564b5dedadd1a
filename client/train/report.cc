#include "client/train/report.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/base/status_macros.h"
#include "client/cli/files.h"

namespace mixfeed {
namespace {

constexpr size_t kEvalsOfMedian = 20;
// In memory and in checkpoints: of longer trainings every other, then every fourth is kept, and so
// on.
constexpr size_t kMaxLines = 8192;
constexpr double kRoom = 1.1;  // of an axis, over the largest value

Json ToJson(const UpdateReport& report) {
  Json json;
  json["update"] = report.update;
  json["loss"] = report.loss;
  json["labelled_loss"] = report.labelled_loss;
  json["unlabelled_loss"] = report.unlabelled_loss;
  json["unlabelled_weight"] = report.unlabelled_weight;
  json["lr"] = report.rate;
  json["confidence"] = report.confidence.has_value() ? Json(*report.confidence) : Json(nullptr);
  if (report.confidence.has_value()) {
    json["guess_version"] = report.guess_version;
    json["guess_age"] = report.guess_age;
  }
  return json;
}

Json ToJson(const EvalReport& report) {
  Json json;
  json["update"] = report.update;
  json["accuracy"] = report.accuracy;
  json["loss"] = report.loss;
  json["images"] = report.images;
  return json;
}

Json Event(const char* event, const Json& more) {
  Json json;
  json["event"] = event;
  if (more.is_object()) json.update(more);
  return json;
}

std::string LossText(const UpdateReport& report) {
  if (!report.confidence.has_value()) return absl::StrFormat("loss %.3f", report.loss);
  return absl::StrFormat("loss %.3f = %.3f + %.2f x %.4f  confidence %.3f", report.loss,
                         report.labelled_loss, report.unlabelled_weight, report.unlabelled_loss,
                         *report.confidence);
}

std::string ClockText(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole >= 3600)
    return absl::StrFormat("%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
  return absl::StrFormat("%d:%02d", whole / 60, whole % 60);
}

Axis UpdateAxis(double last) { return {.label = "update", .low = 0, .high = std::max(last, 1.0)}; }

void AddCurve(std::vector<ChartPoint> points, const Rgb& colour, const char* label, bool dots,
              Panel* panel) {
  if (points.empty()) return;
  panel->marks.emplace_back(Curve{.points = points, .ink = {colour}, .label = label});
  if (!dots) return;
  panel->marks.emplace_back(Scatter{.points = std::move(points), .ink = {colour}, .radius = 2.5});
}

}  // namespace

Figure MakeTrainFigure(const std::vector<UpdateReport>& updates,
                       const std::vector<EvalReport>& evals) {
  double last = 0, top = 0;
  std::vector<ChartPoint> accuracy, confidence, loss, labelled, unlabelled;
  for (const EvalReport& eval : evals) {
    const auto x = static_cast<double>(eval.update);
    last = std::max(last, x);
    accuracy.push_back({x, eval.accuracy});
  }
  for (const UpdateReport& report : updates) {
    const auto x = static_cast<double>(report.update);
    last = std::max(last, x);
    top = std::max(top, report.loss);
    loss.push_back({x, report.loss});
    if (!report.confidence.has_value()) continue;
    confidence.push_back({x, *report.confidence});
    labelled.push_back({x, report.labelled_loss});
    unlabelled.push_back({x, report.unlabelled_weight * report.unlabelled_loss});
  }
  Panel shares{.title = "Accuracy",
               .subtitle = "test images, averaged weights; confidence of the guesses",
               .x = UpdateAxis(last),
               .y = {.label = "share", .low = 0, .high = 1.02, .step = 0.2}};
  AddCurve(std::move(confidence), kSeries[2], "guess confidence", false, &shares);
  AddCurve(std::move(accuracy), kSeries[0], "test accuracy", true, &shares);
  Panel losses{.title = "Loss",
               .subtitle = "of the batches",
               .x = UpdateAxis(last),
               .y = {.label = "nats", .low = 0, .high = std::max(0.1, kRoom * top)}};
  AddCurve(std::move(labelled), kSeries[3], "labelled rows", false, &losses);
  AddCurve(std::move(unlabelled), kSeries[4], "unlabelled rows, weighed", false, &losses);
  AddCurve(std::move(loss), kSeries[1], "loss", false, &losses);
  return {.title = "Training", .panels = {std::move(shares), std::move(losses)}, .columns = 2};
}

std::optional<double> MedianOfLast(const std::vector<EvalReport>& evals) {
  if (evals.empty()) return std::nullopt;
  std::vector<double> last;
  for (size_t i = evals.size() - std::min(evals.size(), kEvalsOfMedian); i < evals.size(); ++i) {
    last.push_back(evals[i].accuracy);
  }
  std::sort(last.begin(), last.end());
  const size_t half = last.size() / 2;
  return last.size() % 2 == 1 ? last[half] : (last[half - 1] + last[half]) / 2;
}

TrainReport::TrainReport(Console* console, const ReportOptions& options)
    : console_(console), options_(options) {
  bar_.emplace(console_, 1);
}

absl::Status TrainReport::Begin(uint64_t update, const Json& what) {
  rate_.start = std::chrono::steady_clock::now();
  Json json = Event("begin", what);
  json["update"] = update;
  return Line(json, absl::StrCat("training updates ", update, " to ", options_.steps));
}

absl::Status TrainReport::Updated(const UpdateReport& report) {
  ++rate_.updates;
  rate_.rows += report.rows;
  bar_->Show(static_cast<double>(report.update) / static_cast<double>(options_.steps),
             BarText(report));
  if (report.update % options_.log_every != 0 && report.update != options_.steps) {
    return absl::OkStatus();
  }
  Remember(report);
  // On a terminal the bar says it.
  if (!options_.json && console_->terminal) return absl::OkStatus();
  Json json = Event("update", ToJson(report));
  json["images_per_second"] = std::round(ImagesASecond());
  return Line(json, BarText(report));
}

void TrainReport::StopClock() { rate_.paused = std::chrono::steady_clock::now(); }

absl::Status TrainReport::Evaluated(const EvalReport& report) {
  rate_.start += std::chrono::steady_clock::now() - rate_.paused;
  evals_.push_back(report);
  return Line(Event("eval", ToJson(report)),
              absl::StrFormat("update %-6d test accuracy %.2f %%  loss %.3f  (%d images)",
                              report.update, 100 * report.accuracy, report.loss, report.images));
}

std::optional<uint64_t> TrainReport::evaluated() const {
  if (evals_.empty()) return std::nullopt;
  return evals_.back().update;
}

absl::Status TrainReport::Saved(const std::string& path, uint64_t update) {
  Json json = Event("checkpoint", {});
  json["update"] = update;
  json["file"] = path;
  return options_.json ? Line(json, "") : absl::OkStatus();
}

absl::Status TrainReport::End(uint64_t update, bool interrupted) {
  absl::Status status = Draw();
  const std::optional<double> median = MedianOfLast(evals_);
  Json json = Event("end", {});
  json["update"] = update;
  json["interrupted"] = interrupted;
  json["accuracy"] = evals_.empty() ? Json(nullptr) : Json(evals_.back().accuracy);
  json["median_accuracy"] = median.has_value() ? Json(*median) : Json(nullptr);
  std::string text =
      absl::StrCat(interrupted ? "interrupted after " : "done: ", update, " updates");
  if (median.has_value()) {
    absl::StrAppendFormat(&text, ", test accuracy %.2f %%, median of the last %d %.2f %%",
                          100 * evals_.back().accuracy, std::min(evals_.size(), kEvalsOfMedian),
                          100 * *median);
  }
  status.Update(Line(json, text));
  return status;
}

Json TrainReport::History() const {
  Json history;
  history["updates"] = Json::array();
  for (const UpdateReport& report : updates_) history["updates"].push_back(ToJson(report));
  history["evals"] = Json::array();
  for (const EvalReport& report : evals_) history["evals"].push_back(ToJson(report));
  return history;
}

void TrainReport::Restore(const Json& history) {
  if (!history.is_object()) return;
  const auto number = [](const Json& json, const char* name) {
    return json.contains(name) && json[name].is_number() ? json[name].get<double>() : 0.0;
  };
  for (const Json& json : history.value("updates", Json::array())) {
    UpdateReport report{.update = static_cast<uint64_t>(number(json, "update")),
                        .loss = number(json, "loss"),
                        .labelled_loss = number(json, "labelled_loss"),
                        .unlabelled_loss = number(json, "unlabelled_loss"),
                        .unlabelled_weight = number(json, "unlabelled_weight"),
                        .rate = number(json, "lr")};
    if (json.contains("guess_version")) {
      report.confidence = number(json, "confidence");
      report.guess_version = static_cast<uint64_t>(number(json, "guess_version"));
      report.guess_age = static_cast<uint64_t>(number(json, "guess_age"));
    }
    updates_.push_back(report);
  }
  for (const Json& json : history.value("evals", Json::array())) {
    evals_.push_back({static_cast<uint64_t>(number(json, "update")), number(json, "accuracy"),
                      number(json, "loss"), static_cast<uint64_t>(number(json, "images"))});
  }
}

void TrainReport::Remember(const UpdateReport& report) {
  const auto is_kept = [this](const UpdateReport& line) {
    return line.update / options_.log_every % stride_ == 0;
  };
  while (updates_.size() >= kMaxLines && stride_ <= report.update) {
    stride_ *= 2;
    std::erase_if(updates_, std::not_fn(is_kept));
  }
  if (is_kept(report) || report.update == options_.steps) updates_.push_back(report);
}

absl::Status TrainReport::Line(const Json& json, const std::string& text) {
  // The bar goes away for the line and comes again with the next update.
  bar_.reset();
  bar_.emplace(console_, 1);
  console_->out << (options_.json ? Dump(json) : text) << '\n';
  return CheckOutput(console_->out);
}

absl::Status TrainReport::Draw() const {
  if (options_.png.empty()) return absl::OkStatus();
  MIXFEED_ASSIGN_OR_RETURN(const Picture picture, DrawFigure(MakeTrainFigure(updates_, evals_)));
  return WriteFile("--png", options_.png, picture.png);
}

double TrainReport::Seconds() const {
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - rate_.start;
  return std::max(time.count(), 1e-9);
}

double TrainReport::ImagesASecond() const { return static_cast<double>(rate_.rows) / Seconds(); }

std::string TrainReport::BarText(const UpdateReport& report) const {
  const double left = Seconds() / static_cast<double>(std::max<uint64_t>(rate_.updates, 1)) *
                      static_cast<double>(options_.steps - std::min(report.update, options_.steps));
  std::string text =
      absl::StrFormat("update %d/%d  %s  %.0f images/s  ETA %s", report.update, options_.steps,
                      LossText(report), ImagesASecond(), ClockText(left));
  if (!evals_.empty()) absl::StrAppendFormat(&text, "  test %.1f %%", 100 * evals_.back().accuracy);
  return text;
}

}  // namespace mixfeed
