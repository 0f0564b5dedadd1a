#include "server/core/feed_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using ::testing::ElementsAre;
using testing::TempDir;

FeedStore::Record MakeRecord(const std::string& id) {
  FeedStore::Record record{.feed_id = id, .run = "run of " + id, .spec = {}};
  record.spec.set_dataset("tiny");
  record.spec.set_seed(7);
  return record;
}

class FeedStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<FeedStore> OpenStore() {
    auto store = FeedStore::Open(path_);
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }
  static std::vector<std::string> Ids(FeedStore* store) {
    const std::vector<FeedStore::Record> records = *store->ReadAll();
    std::vector<std::string> ids;
    for (const FeedStore::Record& record : records) ids.push_back(record.feed_id);
    return ids;
  }

  const TempDir directory_;
  const std::string path_ = directory_.File("feeds.sqlite");
};

TEST_F(FeedStoreTest, RecordsOutliveTheStore) {
  ASSERT_TRUE(OpenStore()->Put(MakeRecord("a")).ok());
  const std::vector<FeedStore::Record> records = *OpenStore()->ReadAll();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].feed_id, "a");
  EXPECT_EQ(records[0].run, "run of a");
  EXPECT_EQ(records[0].spec.seed(), 7u);
}

TEST_F(FeedStoreTest, OrderIsThatOfOpening) {
  const auto store = OpenStore();
  for (const char* id : {"c", "a", "b"}) ASSERT_TRUE(store->Put(MakeRecord(id)).ok());
  EXPECT_THAT(Ids(store.get()), ElementsAre("c", "a", "b"));
  ASSERT_TRUE(store->Put(MakeRecord("c")).ok());
  EXPECT_THAT(Ids(store.get()), ElementsAre("a", "b", "c"));
}

TEST_F(FeedStoreTest, RemovedRecordIsGone) {
  const auto store = OpenStore();
  ASSERT_TRUE(store->Put(MakeRecord("a")).ok());
  ASSERT_TRUE(store->Put(MakeRecord("b")).ok());
  ASSERT_TRUE(store->Remove("a").ok());
  EXPECT_TRUE(store->Remove("never there").ok());
  EXPECT_THAT(Ids(store.get()), ElementsAre("b"));
}

TEST_F(FeedStoreTest, DamagedRecordIsLeftOutWithAWarning) {
  const auto store = OpenStore();
  for (const char* id : {"a", "b"}) ASSERT_TRUE(store->Put(MakeRecord(id)).ok());
  ASSERT_TRUE((*SqliteDatabase::Open(path_, /*busy_timeout_ms=*/1000))
                  ->Execute("UPDATE feeds SET spec = x'ff' WHERE feed_id = 'a'")
                  .ok());
  std::ostringstream log;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "log", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
  EXPECT_THAT(Ids(store.get()), ElementsAre("b"));
  spdlog::set_default_logger(before);
  EXPECT_THAT(log.str(), ::testing::HasSubstr("feed a of run \"run of a\" is not restored"));
}

TEST_F(FeedStoreTest, AFileThatCannotBeOpenedIsTold) {
  const std::string path = directory_.File("no/such/feeds.sqlite");
  EXPECT_THAT(std::string(FeedStore::Open(path).status().message()), ::testing::HasSubstr(path));
}

TEST_F(FeedStoreTest, ADamagedFileIsSetAside) {
  std::ofstream(path_) << std::string(5000, 'x');
  EXPECT_TRUE(OpenStore()->ReadAll()->empty());
  EXPECT_TRUE(std::ifstream(path_ + ".damaged-1").good());
  ASSERT_TRUE(OpenStore()->Put(MakeRecord("a")).ok());
  EXPECT_THAT(Ids(OpenStore().get()), ElementsAre("a"));
}

}  // namespace
}  // namespace mixfeed
