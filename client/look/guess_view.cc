#include "client/look/guess_view.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/look/guess_summary.h"
#include "client/look/text_table.h"

namespace mixfeed {
namespace {

constexpr size_t kMostCurvePoints = 24;
constexpr size_t kMostClasses = 20;
constexpr double kBarCells = 24;
constexpr char kNoGuesses[] =
    "no guesses yet: they are counted from the first batch that is made\n";

// "-" for what is not known.
std::string Number(std::optional<double> value, int decimals = 3) {
  return value.has_value() ? absl::StrFormat("%.*f", decimals, *value) : "-";
}

// A protobuf field that may not be set.
template <typename Message>
std::optional<double> Known(const Message& message, bool (Message::*has)() const,
                            double (Message::*get)() const) {
  return (message.*has)() ? std::optional((message.*get)()) : std::nullopt;
}

std::string Range(uint64_t first, uint64_t last) {
  return first == last ? absl::StrCat(last) : absl::StrCat(first, "-", last);
}

std::string Head(const v1::GetGuessStatsResponse& stats) {
  return absl::StrFormat(
      "feed %s of run %s, temperature %g; the labelled images have %.2f classes\n", stats.feed_id(),
      stats.run(), stats.temperature(), stats.prior_classes());
}

void AddRow(const v1::GuessSpan& span, TextTable* table) {
  const v1::GuessValidation& tried = span.validation();
  const auto when_tried = [&](double value) {
    return span.has_validation() ? std::optional(value) : std::nullopt;
  };
  table->Add({Range(span.first_version(), span.version()), absl::StrCat(span.update()),
              absl::StrCat(span.images()), Number(span.confidence()),
              Number(Known(span, &v1::GuessSpan::has_agreement, &v1::GuessSpan::agreement)),
              Number(Known(span, &v1::GuessSpan::has_accuracy, &v1::GuessSpan::accuracy)),
              Number(span.entropy()), Number(span.effective_classes(), 2),
              Number(span.prior_distance()), Number(span.age(), 1),
              Number(when_tried(tried.accuracy())), Number(when_tried(tried.calibration_error())),
              Number(Known(tried, &v1::GuessValidation::has_drift, &v1::GuessValidation::drift))});
}

// A bar of '#' for a share, with a '|' where `mark` is.
std::string BarText(double share, std::optional<double> mark = std::nullopt) {
  const auto cell = [](double value) {
    return static_cast<size_t>(std::lround(kBarCells * std::clamp(value, 0.0, 1.0)));
  };
  std::string bar(static_cast<size_t>(kBarCells), '.');
  std::fill_n(bar.begin(), cell(share), '#');
  if (mark.has_value()) bar[std::min(cell(*mark), bar.size() - 1)] = '|';
  return absl::StrCat("[", bar, "]");
}

// What guesses tell, if they do.
using SummaryValue = std::function<std::optional<double>(const GuessSummary&)>;

// The newest parts' values, each a block of an eighth to eight eighths of the height `top`.
std::string CurveText(const std::vector<GuessSummary>& parts, const SummaryValue& value,
                      double top) {
  constexpr const char* kBlocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::string text;
  const size_t first = parts.size() - std::min(parts.size(), kMostCurvePoints);
  for (size_t i = first; i < parts.size(); ++i) {
    const std::optional<double> known = value(parts[i]);
    const double height = std::clamp(known.value_or(0) / top, 0.0, 1.0);
    absl::StrAppend(&text, known ? kBlocks[std::lround(7 * height)] : " ");
  }
  return text;
}

// A quantity of the screen.
struct Line {
  const char* name;
  SummaryValue value;
  double top = 1;  // of bar and curve
};

template <typename Get>
SummaryValue OfValidation(const Get& get) {
  return [get](const GuessSummary& guesses) {
    return guesses.validation.has_value() ? get(*guesses.validation) : std::nullopt;
  };
}

std::vector<Line> LinesOf(const v1::GetGuessStatsResponse& stats, bool validated) {
  using Guesses = GuessSummary;
  using Tried = v1::GuessValidation;
  const double most_nats = std::log(std::max(2, stats.class_names_size()));
  std::vector<Line> lines = {
      {"confidence", [](const Guesses& g) { return g.confidence; }},
      {"agreement", [](const Guesses& g) { return g.agreement; }},
      {"accuracy", [](const Guesses& g) { return g.accuracy; }},
      {"entropy (nats)", [](const Guesses& g) { return g.entropy; }, most_nats},
      {"effective classes", [](const Guesses& g) { return g.effective_classes; },
       stats.prior_classes()},
      {"distance from prior", [](const Guesses& g) { return g.prior_distance; }}};
  if (!validated) return lines;
  lines.push_back({"validation accuracy",
                   OfValidation([](const Tried& t) { return std::optional(t.accuracy()); })});
  lines.push_back({"calibration error", OfValidation([](const Tried& t) {
                     return std::optional(t.calibration_error());
                   })});
  lines.push_back({"drift", OfValidation([](const Tried& t) {
                     return Known(t, &Tried::has_drift, &Tried::drift);
                   })});
  return lines;
}

// The most guessed ones where there are too many, in the order of their numbers.
std::vector<size_t> ShownClasses(const std::vector<double>& class_mean) {
  std::vector<size_t> shown(class_mean.size());
  std::iota(shown.begin(), shown.end(), size_t{0});
  std::stable_sort(shown.begin(), shown.end(),
                   [&](size_t a, size_t b) { return class_mean[a] > class_mean[b]; });
  shown.resize(std::min(shown.size(), kMostClasses));
  std::sort(shown.begin(), shown.end());
  return shown;
}

std::string ClassLines(const v1::GetGuessStatsResponse& stats, const GuessSummary& newest) {
  const auto prior = [&](size_t c) { return stats.prior(static_cast<int>(c)); };
  const std::vector<size_t> shown = ShownClasses(newest.class_mean);
  double top = 1e-9;
  for (const size_t c : shown) top = std::max({top, newest.class_mean[c], prior(c)});
  std::string text;
  for (const size_t c : shown) {
    absl::StrAppendFormat(&text, "%-19.19s %7.3f  %s %.3f\n",
                          stats.class_names(static_cast<int>(c)), newest.class_mean[c],
                          BarText(newest.class_mean[c] / top, prior(c) / top), prior(c));
  }
  if (shown.size() < newest.class_mean.size()) {
    absl::StrAppendFormat(&text, "and %d classes that are guessed less\n",
                          newest.class_mean.size() - shown.size());
  }
  return text;
}

}  // namespace

void PrintGuessTable(const v1::GetGuessStatsResponse& stats, std::ostream& out) {
  out << Head(stats);
  if (stats.spans().empty()) out << kNoGuesses;
  std::string model;
  std::optional<TextTable> table;
  const auto print = [&] {
    if (!table.has_value()) return;
    out << "\nmodel " << model << '\n';
    table->Print(out);
  };
  for (const v1::GuessSpan& span : stats.spans()) {
    if (span.model() != model) {
      print();
      model = span.model();
      table.emplace(std::vector<std::string>{"version", "update", "images", "conf", "agree", "acc",
                                             "nats", "classes", "prior", "age", "v-acc", "calib",
                                             "drift"});
    }
    AddRow(span, &*table);
  }
  print();
  if (!stats.warning().empty()) out << "\nWARNING: " << stats.warning() << '\n';
}

Look LookAtGuesses(const v1::GetGuessStatsResponse& stats) {
  std::ostringstream text;
  PrintGuessTable(stats, text);
  Look look{.text = text.str(), .json = ToJson(stats)};
  const absl::StatusOr<GuessPicture> picture = PictureOf(stats);
  if (picture.ok()) look.figure = MakeGuessFigure(*picture);
  return look;
}

std::string GuessLine(const v1::GetGuessStatsResponse& stats) {
  const GuessSummary newest = SummariseNewest(stats);
  if (newest.images == 0) return kNoGuesses;
  std::string line = absl::StrFormat(
      "update %d  version %d  images %d  confidence %.3f  agreement %s  accuracy %s  nats %.3f  "
      "classes %.2f  prior %.3f  age %.1f",
      newest.update, newest.version, newest.images, newest.confidence, Number(newest.agreement),
      Number(newest.accuracy), newest.entropy, newest.effective_classes, newest.prior_distance,
      newest.age);
  if (newest.validation.has_value()) {
    absl::StrAppendFormat(&line, "  calibration %.3f", newest.validation->calibration_error());
  }
  if (!stats.warning().empty()) absl::StrAppend(&line, "  WARNING: ", stats.warning());
  return line + "\n";
}

std::string GuessScreen(const v1::GetGuessStatsResponse& stats) {
  std::string text = Head(stats);
  const GuessSummary newest = SummariseNewest(stats);
  if (newest.images == 0) return text + kNoGuesses;
  absl::StrAppendFormat(
      &text, "model %s, version %d; %d images of %s; age %.1f updates, at most %d\n\n",
      newest.model, newest.version, newest.images, UpdatesText(newest.first_update, newest.update),
      newest.age, newest.max_age);
  const std::vector<GuessSummary> parts = SummariseEvenly(stats);
  for (const Line& line : LinesOf(stats, newest.validation.has_value())) {
    const std::optional<double> now = line.value(newest);
    absl::StrAppendFormat(&text, "%-19s %7s  %s %s\n", line.name, Number(now),
                          BarText(now.value_or(0) / line.top),
                          CurveText(parts, line.value, line.top));
  }
  absl::StrAppend(&text, "\nclass               guessed   # guessed, | labelled\n",
                  ClassLines(stats, newest));
  if (!stats.warning().empty()) absl::StrAppend(&text, "\nWARNING: ", stats.warning(), "\n");
  return text;
}

}  // namespace mixfeed
