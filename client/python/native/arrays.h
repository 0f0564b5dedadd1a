#ifndef MIXFEED_CLIENT_PYTHON_NATIVE_ARRAYS_H_
#define MIXFEED_CLIENT_PYTHON_NATIVE_ARRAYS_H_

#include <google/protobuf/repeated_field.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "mixfeed/v1/feed.pb.h"

namespace mixfeed::python {

using Shape = std::vector<int64_t>;

// A NumPy array over `data`, packed, writable, which keeps `owner` alive.
pybind11::array ArrayOver(const void* data, const pybind11::dtype& type, const Shape& shape,
                          std::shared_ptr<const void> owner);

// As ArrayOver, of pixels; bfloat16 as a Bfloat16Array.
pybind11::object PixelArray(const void* data, v1::PixelType type, const Shape& shape,
                            std::shared_ptr<const void> owner);

// [rows, C, H, W], or [rows, H, W, C].
Shape ImagesShape(int64_t rows, const v1::ImageShape& image, v1::Layout layout);

// An array over a repeated field of what `owner` keeps; by default of one dimension. Whole numbers
// are given as int32, of which they are all, since PyTorch has no unsigned ones.
template <typename T>
pybind11::array FieldArray(const google::protobuf::RepeatedField<T>& field,
                           std::shared_ptr<const void> owner, Shape shape = {}) {
  static_assert(sizeof(T) == sizeof(int32_t));
  if (shape.empty()) shape = {field.size()};
  const auto type =
      std::is_floating_point_v<T> ? pybind11::dtype::of<float>() : pybind11::dtype::of<int32_t>();
  return ArrayOver(field.data(), type, shape, std::move(owner));
}

// bfloat16 numbers, which NumPy does not know: for DLPack alone.
class Bfloat16Array {
 public:
  Bfloat16Array(const void* data, Shape shape, std::shared_ptr<const void> owner)
      : data_(data), shape_(std::move(shape)), owner_(std::move(owner)) {}

  const Shape& shape() const { return shape_; }
  // A capsule named "dltensor", as the array API standard's __dlpack__ returns it; it keeps the
  // memory alive.
  pybind11::object DlPack() const;

 private:
  const void* data_;
  Shape shape_;
  std::shared_ptr<const void> owner_;
};

void BindArrays(pybind11::module_* module);

}  // namespace mixfeed::python

#endif  // MIXFEED_CLIENT_PYTHON_NATIVE_ARRAYS_H_
