#ifndef MIXFEED_CLIENT_LOOK_GUESS_VIEW_H_
#define MIXFEED_CLIENT_LOOK_GUESS_VIEW_H_

#include <ostream>
#include <string>

#include "client/look/look.h"
#include "mixfeed/v1/inspect.pb.h"

namespace mixfeed {

// What is known of a feed's guesses, as text for people.

// A table with a line a span, below a head; a warning is the last line. At most 100 columns wide
// for versions and updates of up to five digits.
void PrintGuessTable(const v1::GetGuessStatsResponse& stats, std::ostream& out);

// That table, all of `stats`, and the figure where there are guesses: `mixfeed model stats`.
Look LookAtGuesses(const v1::GetGuessStatsResponse& stats);

// The newest guesses in one line, for a log; a warning is at its end.
std::string GuessLine(const v1::GetGuessStatsResponse& stats);

// The newest guesses as bars, with what came before as small curves, in about 30 lines for a
// terminal of 80 columns and UTF-8.
std::string GuessScreen(const v1::GetGuessStatsResponse& stats);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_LOOK_GUESS_VIEW_H_
