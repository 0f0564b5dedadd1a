#ifndef MIXFEED_CLIENT_PYTHON_NATIVE_WAITING_H_
#define MIXFEED_CLIENT_PYTHON_NATIVE_WAITING_H_

#include <pybind11/pybind11.h>

#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "client/python/native/process.h"

namespace mixfeed::python {

// How long Ctrl-C may go unnoticed.
inline constexpr std::chrono::milliseconds kSlice(50);

// Asks `ready_within(kSlice)` without the GIL until it says yes. Throws what a signal's Python
// handler raises meanwhile, such as KeyboardInterrupt, also when the answer is yes.
template <typename ReadyWithin>
void WaitInSlices(const ReadyWithin& ready_within) {
  for (bool ready = false; !ready;) {
    // Not in a destructor, as gil_scoped_release does it: where the interpreter ends meanwhile,
    // this unwinds and ends a daemon thread, which a destructor would turn into the process's
    // abort.
    PyThreadState* const thread = PyEval_SaveThread();
    ready = ready_within(kSlice);  // does not throw
    PyEval_RestoreThread(thread);
    if (PyErr_CheckSignals() != 0) throw pybind11::error_already_set();
  }
}

// What `call` returns; it runs in a thread of its own, without the GIL. A signal whose handler
// raises ends the waiting, not the call: that goes on to its own deadline, so that it must own what
// it uses.
template <typename Call>
auto CallInterruptibly(Call call) {
  CheckProcess();
  std::packaged_task<decltype(call())()> task(std::move(call));
  auto result = task.get_future();
  std::thread(std::move(task)).detach();
  WaitInSlices([&result](std::chrono::milliseconds slice) {
    return result.wait_for(slice) == std::future_status::ready;
  });
  return result.get();
}

}  // namespace mixfeed::python

#endif  // MIXFEED_CLIENT_PYTHON_NATIVE_WAITING_H_
