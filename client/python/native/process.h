#ifndef MIXFEED_CLIENT_PYTHON_NATIVE_PROCESS_H_
#define MIXFEED_CLIENT_PYTHON_NATIVE_PROCESS_H_

#include <unistd.h>

#include <memory>

namespace mixfeed::python {

// gRPC's threads do not live on in a forked child, where a call would wait for ever. Raises
// ForkedProcess in a child of the process that called this first; before every use of gRPC.
void CheckProcess();
// Whether CheckProcess would raise.
bool IsForked();

// Shared ownership that a forked child does not take part in: there the object is forgotten, since
// its destructor would wait for threads that the child does not have.
template <typename T>
std::shared_ptr<T> OwnedByProcess(std::unique_ptr<T> object) {
  return std::shared_ptr<T>(object.release(), [owner = getpid()](T* owned) {
    if (getpid() == owner) std::unique_ptr<T>(owned).reset();
  });
}

}  // namespace mixfeed::python

#endif  // MIXFEED_CLIENT_PYTHON_NATIVE_PROCESS_H_
