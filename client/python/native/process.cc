#include "client/python/native/process.h"

#include <atomic>

#include "client/python/native/raise.h"

namespace mixfeed::python {
namespace {

std::atomic<pid_t> user = 0;

}  // namespace

bool IsForked() {
  const pid_t first = user;
  return first != 0 && first != getpid();
}

void CheckProcess() {
  pid_t nobody = 0;
  user.compare_exchange_strong(nobody, getpid());
  if (IsForked()) RaiseForked();
}

}  // namespace mixfeed::python
