#ifndef MIXFEED_CLIENT_CLI_CONSOLE_H_
#define MIXFEED_CLIENT_CLI_CONSOLE_H_

#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cancellation.h"

namespace mixfeed {

// Where a command writes: results to `out`, everything else to `err`.
struct Console {
  std::ostream& out;
  std::ostream& err;
  bool terminal = false;  // of err
  Cancellation* interrupt = nullptr;

  bool interrupted() const { return interrupt != nullptr && interrupt->cancelled(); }
};

// Flushes `out`. Unavailable when something did not get there: a full disk, a closed pipe.
absl::Status CheckOutput(std::ostream& out);

// Lines of cells, printed with their columns aligned.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
  // As many cells as the head has.
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void Print(std::ostream& out) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// A bar on the console's err while it lives, if that is a terminal.
class Progress {
 public:
  Progress(Console* console, int total) : console_(console), total_(total) {}
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Begins the next of `total` parts.
  void Begin(const std::string& part);
  // Shows that a share of 0..1 is done.
  void Show(double done, const std::string& part);

 private:
  Console* const console_;
  const int total_;
  int begun_ = 0;
  bool shown_ = false;
};

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_CLI_CONSOLE_H_
