#include "server/store/guess_cache.h"

namespace mixfeed {
namespace {

// Of an entry besides its probabilities and texts, and of a further model, about.
constexpr int64_t kEntryOverheadBytes = 400;
constexpr int64_t kSourceBytes = 200;

int64_t BytesInMemory(const StepGuess& guess) {
  return kEntryOverheadBytes + kSourceBytes * static_cast<int64_t>(guess.more.size()) +
         static_cast<int64_t>(guess.probabilities.size() * sizeof(float) + guess.model.size() +
                              guess.weights.size() + guess.environment.size());
}

}  // namespace

std::optional<StepGuess> GuessCache::Find(const std::string& feed_id, int64_t step) {
  MutexLock lock(&mu_);
  const auto found = by_key_.find({feed_id, step});
  if (found == by_key_.end()) return std::nullopt;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->guess;
}

void GuessCache::Put(const std::string& feed_id, int64_t step, const StepGuess& guess) {
  MutexLock lock(&mu_);
  const Key key(feed_id, step);
  if (const auto known = by_key_.find(key); known != by_key_.end()) {
    entries_.splice(entries_.begin(), entries_, known->second);
    return;
  }
  entries_.push_front({key, guess, BytesInMemory(guess)});
  by_key_[key] = entries_.begin();
  bytes_ += entries_.front().bytes;
  while (bytes_ > max_bytes_ && entries_.size() > 1) {
    bytes_ -= entries_.back().bytes;
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

}  // namespace mixfeed
