#ifndef MIXFEED_SERVER_STORE_GUESS_RECORD_H_
#define MIXFEED_SERVER_STORE_GUESS_RECORD_H_

#include <optional>
#include <string>
#include <string_view>

#include "augment/guess/journal.h"

namespace mixfeed {

// A guess as bytes, all of it but environment_changed: the format's number, the numbers and the
// texts, each with its length, in little-endian, and the XXH3-64 of all that.
std::string EncodeGuess(const StepGuess& guess);

// nullopt for what is no such record, or a damaged one.
std::optional<StepGuess> DecodeGuess(std::string_view bytes);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_STORE_GUESS_RECORD_H_
