#ifndef MIXFEED_AUGMENT_BASE_MEMORY_H_
#define MIXFEED_AUGMENT_BASE_MEMORY_H_

#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mixfeed {

// Runs `body`, which returns a Status or StatusOr and allocates memory of a size that a client or a
// file chose. Where there is not so much, the answer is ResourceExhausted, which names `what` and
// its bytes, and not the end of the process.
template <typename Body>
auto CatchOutOfMemory(const std::string& what, int64_t bytes, const Body& body)
    -> decltype(body()) {
  const auto exhausted = [&] {
    return absl::ResourceExhaustedError(
        absl::StrCat("no memory for ", what, " of ", bytes, " bytes"));
  };
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return exhausted();
  } catch (const std::length_error&) {  // of std::vector, for more than any address space holds
    return exhausted();
  }
}

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_BASE_MEMORY_H_
