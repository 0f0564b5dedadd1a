#ifndef MIXFEED_AUGMENT_GUESS_JOURNAL_SCHEMA_H_
#define MIXFEED_AUGMENT_GUESS_JOURNAL_SCHEMA_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/guess/sqlite.h"

// The journal's SQLite file; private to this folder.
namespace mixfeed {

// What a guess takes besides its probabilities and texts, about: its numbers and their index.
inline constexpr int64_t kGuessOverheadBytes = 100;

// Opens the file as a journal: makes the tables in a fresh one, adds what an older version's lack,
// sets the write-ahead log. Leaves a file of somebody else as it is. Errors: Journal::Open's.
absl::StatusOr<std::unique_ptr<SqliteDatabase>> OpenJournalFile(const std::string& path,
                                                                int busy_timeout_ms);

// Makes a journal at `path`, where there is none, of what can still be read of the damaged one at
// `damaged_path`: feeds with their forks and every guess that lies on sound pages. Where a feed has
// lost guesses, all steps up to the highest that is left, or that it had if it was read in order,
// count as dropped, but for those that are left: they must not be guessed anew. Returns the number
// of guesses. Errors when not even the feeds can be read; what is at `path` then is of no use.
absl::StatusOr<int64_t> SalvageJournal(const std::string& damaged_path, const std::string& path);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_JOURNAL_SCHEMA_H_
