#include <pybind11/pybind11.h>

#include "client/python/native/arrays.h"
#include "client/python/native/batch.h"
#include "client/python/native/client.h"
#include "client/python/native/look.h"
#include "client/python/native/spec.h"
#include "client/python/native/views.h"

// The C++ client as the package's other modules use it; _core.pyi has the types.
PYBIND11_MODULE(_core, module) {
  mixfeed::python::BindArrays(&module);
  mixfeed::python::BindBatch(&module);
  mixfeed::python::BindViews(&module);
  mixfeed::python::BindSpec(&module);
  mixfeed::python::BindClient(&module);
  mixfeed::python::BindLook(&module);
}
