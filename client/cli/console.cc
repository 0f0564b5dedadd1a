#include "client/cli/console.h"

#include <algorithm>
#include <cstddef>

namespace mixfeed {
namespace {

constexpr size_t kBarWidth = 24;
constexpr char kClearLine[] = "\r\033[K";
constexpr size_t kColumnGap = 2;

}  // namespace

absl::Status CheckOutput(std::ostream& out) {
  if (out.flush()) return absl::OkStatus();
  return absl::UnavailableError("the standard output cannot be written; is the disk full?");
}

void TextTable::Print(std::ostream& out) const {
  std::vector<size_t> widths(rows_.front().size(), 0);
  for (const auto& row : rows_) {
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  for (const auto& row : rows_) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      line += row[c] + std::string(widths[c] - row[c].size() + kColumnGap, ' ');
    }
    out << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
  }
}

void Progress::Begin(const std::string& part) {
  Show(static_cast<double>(begun_++) / std::max(total_, 1), part);
}

void Progress::Show(double done, const std::string& part) {
  if (!console_->terminal) return;
  shown_ = true;
  const auto filled = static_cast<size_t>(kBarWidth * std::clamp(done, 0.0, 1.0));
  console_->err << kClearLine << '[' << std::string(filled, '#')
                << std::string(kBarWidth - filled, '.') << "] " << part << std::flush;
}

Progress::~Progress() {
  if (shown_) console_->err << kClearLine << std::flush;
}

}  // namespace mixfeed
