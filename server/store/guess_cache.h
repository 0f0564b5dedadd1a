#ifndef MIXFEED_SERVER_STORE_GUESS_CACHE_H_
#define MIXFEED_SERVER_STORE_GUESS_CACHE_H_

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "augment/base/mutex.h"
#include "augment/guess/journal.h"

namespace mixfeed {

// Copies of guesses, which never change once they are in a journal. Bounded by bytes: beyond them
// those go that were not looked at for the longest; the newest always stays. Thread safe.
class GuessCache {
 public:
  explicit GuessCache(int64_t max_bytes) : max_bytes_(max_bytes) {}

  std::optional<StepGuess> Find(const std::string& feed_id, int64_t step);
  void Put(const std::string& feed_id, int64_t step, const StepGuess& guess);

 private:
  using Key = std::pair<std::string, int64_t>;
  struct Entry {
    Key key;
    StepGuess guess;
    int64_t bytes = 0;
  };

  const int64_t max_bytes_;
  Mutex mu_;
  std::list<Entry> entries_ ABSL_GUARDED_BY(mu_);  // looked at last stands first
  std::map<Key, std::list<Entry>::iterator> by_key_ ABSL_GUARDED_BY(mu_);
  int64_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_STORE_GUESS_CACHE_H_
