#ifndef MIXFEED_CLIENT_PYTHON_NATIVE_LOOK_H_
#define MIXFEED_CLIENT_PYTHON_NATIVE_LOOK_H_

#include <pybind11/pybind11.h>

namespace mixfeed::python {

// The name of capsules that own a Figure, for mixfeed._draw.
inline constexpr char kFigureCapsule[] = "mixfeed.Figure";

// Adds the functions that look at connections, feeds and recipes: client/look for Python. Each
// gives (text, JSON, a figure's capsule or None, notes); contact_sheet a PNG's bytes.
void BindLook(pybind11::module_* module);

}  // namespace mixfeed::python

#endif  // MIXFEED_CLIENT_PYTHON_NATIVE_LOOK_H_
