#ifndef MIXFEED_CLIENT_PYTHON_NATIVE_HELD_H_
#define MIXFEED_CLIENT_PYTHON_NATIVE_HELD_H_

#include <pybind11/pybind11.h>

#include <memory>
#include <utility>

#include "client/python/native/process.h"
#include "client/python/native/raise.h"

namespace mixfeed::python {

// What Python holds of something that was received: a reference, until it is released. Arrays over
// its memory hold theirs.
template <typename T>
class Held {
 public:
  explicit Held(T received) : received_(OwnedByProcess(std::make_unique<T>(std::move(received)))) {}

  void Release() { received_.reset(); }
  bool released() const { return received_ == nullptr; }
  // A reference of the caller's, since another thread may release this one. Raises BatchReleased.
  std::shared_ptr<T> received() const {
    if (released()) RaiseReleased();
    return received_;
  }

 private:
  std::shared_ptr<T> received_;
};

// Adds what all that is held has: digest, release and the like.
template <typename H>
void BindHeld(pybind11::class_<H>* type) {
  type->def(
          "digest",
          [](const H& held) {
            const auto received = held.received();
            const pybind11::gil_scoped_release unlocked;
            return received->Digest();
          },
          "16 hex digits of everything a trainer sees: `mixfeed pull` prints the same.")
      .def("release", &H::Release, "Gives the memory back early. May be called again.")
      .def_property_readonly("released", &H::released, "Whether it was released.")
      .def("__enter__", [](const pybind11::object& self) { return self; })
      .def("__exit__", [](H* held, const pybind11::args&) { held->Release(); });
}

}  // namespace mixfeed::python

#endif  // MIXFEED_CLIENT_PYTHON_NATIVE_HELD_H_
