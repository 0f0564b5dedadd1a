#ifndef MIXFEED_CLIENT_PYTHON_NATIVE_CLIENT_H_
#define MIXFEED_CLIENT_PYTHON_NATIVE_CLIENT_H_

#include <pybind11/pybind11.h>

namespace mixfeed::python {

// Adds the classes Client, Feed and Stream. Every call waits without the GIL, ends at once when a
// signal's handler raises, and raises the exceptions of mixfeed._errors.
void BindClient(pybind11::module_* module);

}  // namespace mixfeed::python

#endif  // MIXFEED_CLIENT_PYTHON_NATIVE_CLIENT_H_
