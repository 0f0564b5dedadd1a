#ifndef MIXFEED_SERVER_KSERVE_CIRCUIT_BREAKER_H_
#define MIXFEED_SERVER_KSERVE_CIRCUIT_BREAKER_H_

#include <chrono>
#include <random>

namespace mixfeed {

// Says when a server that fails is left alone, and for how long. Closed: it is asked. After so many
// failures in a row, open: it is not, until the time of a probe. A probe that goes well closes it
// on trial: the next failure opens it again, for longer, until a request has succeeded. Knows
// nothing of clocks. Not thread safe.
class CircuitBreaker {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Pause = std::chrono::milliseconds;

  struct Options {
    int failures_to_open = 3;
    // Between a failure and the next try while it is closed; doubled with every further failure.
    Pause first_retry{50};
    Pause longest_retry{1000};
    // Between opening and the probe; doubled with every opening that no success came between.
    Pause first_open{200};
    Pause longest_open{5000};
  };

  // Every pause is drawn from the upper half of its length, so that many who lost a server do not
  // come back to it all at once.
  CircuitBreaker(const Options& options, unsigned seed)
      : options_(options), open_for_(options.first_open), random_(seed) {}

  bool open() const { return open_; }
  Time probe_at() const { return probe_at_; }  // while open

  // A request succeeded. Says nothing while open: it was sent before.
  void Succeeded();
  // A request failed. While open nothing; else it opens, or the request may be tried again after
  // RetryPause.
  void Failed(Time now);
  Pause RetryPause();
  // Opens at once, or, open already, for longer: also what a failed probe says.
  void Open(Time now);
  // A probe went well.
  void CloseOnTrial();

 private:
  Pause Draw(Pause longest);

  const Options options_;
  bool open_ = false;
  Time probe_at_;
  int failures_ = 0;  // in a row
  Pause open_for_;
  std::mt19937 random_;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_KSERVE_CIRCUIT_BREAKER_H_
