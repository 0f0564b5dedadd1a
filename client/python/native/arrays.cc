#include "client/python/native/arrays.h"

#include <dlpack/dlpack.h>

namespace mixfeed::python {
namespace {

namespace py = pybind11;

constexpr char kCapsule[] = "dltensor";  // renamed by whoever takes it over

struct ManagedTensor {
  DLManagedTensor tensor = {};
  Shape shape;
  std::shared_ptr<const void> owner;
};

void DeleteTensor(DLManagedTensor* tensor) {
  std::unique_ptr<ManagedTensor>(static_cast<ManagedTensor*>(tensor->manager_ctx)).reset();
}

void DeleteUnused(PyObject* capsule) {
  if (PyCapsule_IsValid(capsule, kCapsule) == 0) return;
  DeleteTensor(static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule, kCapsule)));
}

py::tuple DlPackDevice(const Bfloat16Array&) { return py::make_tuple(static_cast<int>(kDLCPU), 0); }

[[noreturn]] py::object RefuseNumPy(const Bfloat16Array&, const py::args&, const py::kwargs&) {
  throw py::type_error(
      "NumPy has no bfloat16: take the array with torch.from_dlpack, or open the feed with "
      "dtype='float16' or 'float32'");
}

py::tuple ShapeOf(const Bfloat16Array& array) {
  py::tuple shape(array.shape().size());
  for (size_t i = 0; i < array.shape().size(); ++i) shape[i] = array.shape()[i];
  return shape;
}

}  // namespace

py::array ArrayOver(const void* data, const py::dtype& type, const Shape& shape,
                    std::shared_ptr<const void> owner) {
  auto held = std::make_unique<std::shared_ptr<const void>>(std::move(owner));
  const py::capsule base(held.get(), [](void* pointer) {
    std::unique_ptr<std::shared_ptr<const void>>(static_cast<std::shared_ptr<const void>*>(pointer))
        .reset();
  });
  (void)held.release();  // the capsule's
  return py::array(type, std::vector<py::ssize_t>(shape.begin(), shape.end()), data, base);
}

py::object PixelArray(const void* data, v1::PixelType type, const Shape& shape,
                      std::shared_ptr<const void> owner) {
  switch (type) {
    case v1::UINT8:
      return ArrayOver(data, py::dtype::of<uint8_t>(), shape, std::move(owner));
    case v1::FLOAT16:
      return ArrayOver(data, py::dtype("float16"), shape, std::move(owner));
    case v1::BFLOAT16:
      return py::cast(Bfloat16Array(data, shape, std::move(owner)));
    default:
      return ArrayOver(data, py::dtype::of<float>(), shape, std::move(owner));
  }
}

Shape ImagesShape(int64_t rows, const v1::ImageShape& image, v1::Layout layout) {
  if (layout == v1::NHWC) return {rows, image.height(), image.width(), image.channels()};
  return {rows, image.channels(), image.height(), image.width()};
}

py::object Bfloat16Array::DlPack() const {
  auto managed = std::make_unique<ManagedTensor>();
  managed->shape = shape_;
  managed->owner = owner_;
  managed->tensor.manager_ctx = managed.get();
  managed->tensor.deleter = DeleteTensor;
  DLTensor& tensor = managed->tensor.dl_tensor;
  tensor.data = const_cast<void*>(data_);
  tensor.device = {kDLCPU, 0};
  tensor.ndim = static_cast<int>(shape_.size());
  tensor.dtype = {kDLBfloat, 16, 1};
  tensor.shape = managed->shape.data();
  PyObject* const capsule = PyCapsule_New(&managed->tensor, kCapsule, DeleteUnused);
  if (capsule == nullptr) throw py::error_already_set();
  (void)managed.release();  // the capsule's
  return py::reinterpret_steal<py::object>(capsule);
}

void BindArrays(py::module_* module) {
  py::class_<Bfloat16Array>(
      *module, "Bfloat16Array",
      "bfloat16 pixels: for torch.from_dlpack and its like, without a copy. NumPy has no bfloat16.")
      .def_property_readonly("shape", ShapeOf, "Sizes, as of a NumPy array.")
      .def_property_readonly(
          "dtype", [](const Bfloat16Array&) { return "bfloat16"; }, "Always \"bfloat16\".")
      .def("__dlpack__",
           [](const Bfloat16Array& array, const py::kwargs&) { return array.DlPack(); })
      .def("__dlpack_device__", DlPackDevice)
      .def("__array__", RefuseNumPy);
}

}  // namespace mixfeed::python
