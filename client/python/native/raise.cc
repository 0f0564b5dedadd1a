#include "client/python/native/raise.h"

#include <pybind11/pybind11.h>

#include <string>

namespace mixfeed::python {
namespace {

namespace py = pybind11;

template <typename... Arguments>
[[noreturn]] void RaiseMade(const char* maker, const Arguments&... arguments) {
  const py::object error = py::module_::import("mixfeed._errors").attr(maker)(arguments...);
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
  throw py::error_already_set();
}

}  // namespace

void Raise(const absl::Status& status) {
  // As bytes, since a server's message may quote a file name that is not UTF-8.
  RaiseMade("from_status", static_cast<int>(status.code()),
            py::bytes(std::string(status.message())));
}

void RaiseReleased() { RaiseMade("batch_released"); }
void RaiseForked() { RaiseMade("forked_process"); }

}  // namespace mixfeed::python
