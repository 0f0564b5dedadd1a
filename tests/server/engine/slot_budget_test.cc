#include "server/engine/slot_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/server/engine/engine_kit.h"

namespace mixfeed {
namespace {

using testing::Eventually;
using ::testing::HasSubstr;

class SlotBudgetTest : public ::testing::Test {
 protected:
  std::shared_ptr<const SlotPromise> Promise(int64_t slots, int64_t slot_bytes) {
    auto promise = budget_->Promise(slots, slot_bytes);
    EXPECT_TRUE(promise.ok()) << promise.status();
    return promise.ok() ? *promise : nullptr;
  }

  const std::shared_ptr<SlotBudget> budget_ = std::make_shared<SlotBudget>(1000);
};

TEST_F(SlotBudgetTest, PromisesAddUpToNoMoreThanThePool) {
  auto a = Promise(6, 100);
  const auto b = Promise(1, 400);
  EXPECT_EQ(budget_->promised_bytes(), 1000);
  const absl::Status refused = budget_->Promise(1, 1).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(
      std::string(refused.message()),
      HasSubstr("1 slots of 1 bytes are needed, and of the server's 1000 bytes for slots 0"));
  a.reset();
  EXPECT_EQ(budget_->promised_bytes(), 400);
  Promise(6, 100);
}

TEST_F(SlotBudgetTest, ClaimKeepsItsPromisesAlive) {
  auto maker = Promise(1, 600);
  auto reader = Promise(1, 400);
  auto claim = budget_->Claim(300, maker);
  claim->KeepPromise(reader);
  claim->KeepPromise(reader);
  EXPECT_EQ(budget_->claimed_bytes(), 300);
  maker.reset();
  reader.reset();
  EXPECT_EQ(budget_->promised_bytes(), 1000);
  claim.reset();
  EXPECT_EQ(budget_->promised_bytes(), 0);
  EXPECT_EQ(budget_->claimed_bytes(), 0);
}

TEST_F(SlotBudgetTest, ClaimWaitsForRoom) {
  const auto promise = Promise(1, 1000);
  auto first = budget_->Claim(700, promise);
  std::shared_ptr<SlotClaim> claimed;
  std::thread second([&] { claimed = budget_->Claim(400, promise); });
  // A claim that does not wait is never seen here, since it counts only inside of Claim.
  EXPECT_TRUE(Eventually([&] { return budget_->waiting_claims() == 1; }));
  EXPECT_EQ(budget_->claimed_bytes(), 700);
  first.reset();
  second.join();
  EXPECT_NE(claimed, nullptr);
  EXPECT_EQ(budget_->claimed_bytes(), 400);
}

TEST_F(SlotBudgetTest, CloseEndsTheWaiting) {
  const auto promise = Promise(1, 1000);
  const auto first = budget_->Claim(1000, promise);
  std::thread second([&] { EXPECT_EQ(budget_->Claim(1, promise), nullptr); });
  EXPECT_TRUE(Eventually([&] { return budget_->waiting_claims() == 1; }));
  budget_->Close();
  second.join();
  EXPECT_EQ(budget_->Claim(0, promise), nullptr);
}

}  // namespace
}  // namespace mixfeed
