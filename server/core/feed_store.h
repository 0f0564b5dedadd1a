#ifndef MIXFEED_SERVER_CORE_FEED_STORE_H_
#define MIXFEED_SERVER_CORE_FEED_STORE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/base/mutex.h"
#include "augment/guess/sqlite.h"
#include "mixfeed/v1/spec.pb.h"

namespace mixfeed {

// The feeds that were opened and not closed, in an SQLite file, so that they are there again after
// a restart. Thread safe.
class FeedStore {
 public:
  struct Record {
    std::string feed_id;
    std::string run;
    v1::FeedSpec spec;  // resolved
  };

  // A damaged file is set aside (SetSqliteFileAside) with an error in the log, and a fresh one
  // made. Errors: what SQLite says, with the path.
  static absl::StatusOr<std::unique_ptr<FeedStore>> Open(const std::string& path);

  // Putting a feed again is fine and makes it the one opened last.
  absl::Status Put(const Record& record);
  absl::Status Remove(const std::string& feed_id);

  // All records, the one opened longest ago first; unreadable ones are left out with a
  // warning in the log.
  absl::StatusOr<std::vector<Record>> ReadAll();

 private:
  explicit FeedStore(std::unique_ptr<SqliteDatabase> database) : database_(std::move(database)) {}

  Mutex mu_;
  const std::unique_ptr<SqliteDatabase> database_ ABSL_PT_GUARDED_BY(mu_);
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_FEED_STORE_H_
