#ifndef MIXFEED_CLIENT_PYTHON_NATIVE_VIEWS_H_
#define MIXFEED_CLIENT_PYTHON_NATIVE_VIEWS_H_

#include <pybind11/pybind11.h>

#include "client/feed_client.h"
#include "client/python/native/spec.h"

namespace mixfeed::python {

// Adds the class Views.
void BindViews(pybind11::module_* module);

// A Views of a step's images, which renders and mixes them as `consumer` wants its pixels. Raises
// InvalidArgument for a pixel format that there is not.
pybind11::object MakeViews(ReceivedViews views, const Consumer& consumer);

}  // namespace mixfeed::python

#endif  // MIXFEED_CLIENT_PYTHON_NATIVE_VIEWS_H_
