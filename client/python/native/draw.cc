#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstring>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "augment/figure/chart.h"
#include "augment/pool/opencv_border.h"
#include "client/python/native/look.h"
#include "client/python/native/raise.h"

namespace mixfeed::python {
namespace {

namespace py = pybind11;

// What `call`, of a StatusOr, gives; it runs without the GIL and must touch no Python object.
template <typename Call>
auto Unlocked(const Call& call) {
  const py::gil_scoped_release unlocked;
  return call();
}

py::bytes Draw(const py::capsule& capsule) {
  const char* const name = capsule.name();
  if (name == nullptr || std::strcmp(name, kFigureCapsule) != 0) throw py::type_error("no figure");
  const Figure& figure = *capsule.get_pointer<const Figure>();
  return py::bytes(ValueOrRaise(Unlocked([&] { return DrawFigure(figure); })).png);
}

absl::StatusOr<cv::Mat> DecodeRgb(const std::string& png) {
  return StopOpenCvExceptions("png", [&]() -> absl::StatusOr<cv::Mat> {
    const cv::Mat bytes(1, static_cast<int>(png.size()), CV_8UC1, const_cast<char*>(png.data()));
    const cv::Mat image = png.empty() ? cv::Mat() : cv::imdecode(bytes, cv::IMREAD_COLOR);
    if (image.empty()) {
      return absl::DataLossError("png: these bytes are no image that OpenCV can read");
    }
    cv::Mat rgb;
    cv::cvtColor(image, rgb, cv::COLOR_BGR2RGB);
    return rgb;
  });
}

py::array_t<uint8_t> Decode(const std::string& png) {
  const cv::Mat rgb = ValueOrRaise(Unlocked([&] { return DecodeRgb(png); }));
  return py::array_t<uint8_t>({rgb.rows, rgb.cols, 3}, rgb.data);  // a copy
}

}  // namespace

// The one module of the package that loads OpenCV, which takes a second: imported when something is
// drawn. It shares no type with _core but the figures' capsules.
PYBIND11_MODULE(_draw, module) {
  module.def("draw", Draw, py::arg("figure"), "A figure as a PNG file's bytes.");
  module.def("decode", Decode, py::arg("png"), "A PNG as uint8 [height, width, RGB].");
}

}  // namespace mixfeed::python
