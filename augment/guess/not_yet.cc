#include "augment/guess/not_yet.h"

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"

namespace mixfeed {
namespace {

constexpr char kPayload[] = "mixfeed/not-yet";

}  // namespace

absl::Status NotYetError(std::string_view message) {
  absl::Status status = absl::UnavailableError(absl::string_view(message.data(), message.size()));
  status.SetPayload(kPayload, absl::Cord());
  return status;
}

bool IsNotYet(const absl::Status& status) { return status.GetPayload(kPayload).has_value(); }

}  // namespace mixfeed
