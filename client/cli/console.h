#ifndef MIXFEED_CLIENT_CLI_CONSOLE_H_
#define MIXFEED_CLIENT_CLI_CONSOLE_H_

#include <chrono>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cancellation.h"

namespace mixfeed {

// A longer wait for a batch is told of, with what may be waited for.
inline constexpr std::chrono::milliseconds kPatience(3000);

// Where a command writes: results to `out`, everything else to `err`.
struct Console {
  std::ostream& out;
  std::ostream& err;
  bool terminal = false;  // of err
  Cancellation* interrupt = nullptr;
  bool out_terminal = false;
  std::chrono::milliseconds patience = kPatience;

  // A line each on err: what was given without effect, or is not there yet.
  void Note(const std::vector<std::string>& notes) const;
  bool interrupted() const { return interrupt != nullptr && interrupt->cancelled(); }
};

// Flushes `out`. Unavailable when something did not get there: a full disk, a closed pipe.
absl::Status CheckOutput(std::ostream& out);

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
