#include "augment/guess/torch_errors.h"

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

namespace mixfeed {
namespace {

absl::Status Catch(const std::function<void()>& work) {
  return CatchTorchErrors(absl::StatusCode::kInternal, [&] {
    work();
    return absl::OkStatus();
  });
}

TEST(TorchErrorsTest, StatusesPass) {
  EXPECT_TRUE(Catch([] {}).ok());
  EXPECT_EQ(CatchTorchErrors(absl::StatusCode::kInternal, [] { return absl::DataLossError("x"); }),
            absl::DataLossError("x"));
}

TEST(TorchErrorsTest, WhateverIsThrownStopsHere) {
  EXPECT_EQ(Catch([] { throw std::runtime_error("broken"); }), absl::InternalError("broken"));
  EXPECT_EQ(Catch([] { throw 7; }).code(), absl::StatusCode::kInternal);
}

TEST(TorchErrorsTest, OutOfMemoryIsToldApart) {
  EXPECT_EQ(Catch([] { throw std::bad_alloc(); }).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(
      Catch([] { throw std::runtime_error("DefaultCPUAllocator: can't allocate memory"); }).code(),
      absl::StatusCode::kResourceExhausted);
}

TEST(TorchErrorsTest, MessagesAreShort) {
  const auto message = [](const std::string& what) {
    return TorchErrorMessage(std::runtime_error(what));
  };
  EXPECT_EQ(message("one\n  \ntwo\nthree\nfour"), "one; two; three");
  EXPECT_EQ(message(std::string(10'000, 'x')).size(), 400u);
  EXPECT_EQ(message("The following operation failed in the TorchScript interpreter.\n"
                    "Traceback of TorchScript (most recent call last):\n"
                    "  File \"model.py\", line 3, in forward\n    return x @ w\n"
                    "RuntimeError: sizes do not match\n"),
            "RuntimeError: sizes do not match");
  EXPECT_EQ(message(""), "");
}

}  // namespace
}  // namespace mixfeed
