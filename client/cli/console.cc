#include "client/cli/console.h"

#include <algorithm>
#include <cstddef>

namespace mixfeed {
namespace {

constexpr size_t kBarWidth = 24;
constexpr char kClearLine[] = "\r\033[K";

}  // namespace

void Console::Note(const std::vector<std::string>& notes) const {
  for (const std::string& note : notes) err << "note: " << note << '\n';
}

absl::Status CheckOutput(std::ostream& out) {
  if (out.flush()) return absl::OkStatus();
  return absl::UnavailableError(
      "the standard output cannot be written; is the disk full, or its reader gone?");
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
