#ifndef MIXFEED_CLIENT_CLI_LATE_NOTE_H_
#define MIXFEED_CLIENT_CLI_LATE_NOTE_H_

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "client/cancellation.h"
#include "client/cli/console.h"

namespace mixfeed {

// While it lives, prints a note on the console's err, once, when nothing has come for as long
// as its patience: from a thread of its own, so that nobody else may write there meanwhile.
class LateNote {
 public:
  LateNote(Console* console, std::string note);
  ~LateNote();
  LateNote(const LateNote&) = delete;
  LateNote& operator=(const LateNote&) = delete;

  // Something has come.
  void Came() { last_ = Clock::now(); }

 private:
  using Clock = std::chrono::steady_clock;
  void Watch();

  Console* const console_;
  const std::string note_;
  Cancellation done_;
  std::atomic<Clock::time_point> last_ = Clock::now();
  std::thread thread_;
};

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_CLI_LATE_NOTE_H_
