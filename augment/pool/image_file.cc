#include "augment/pool/image_file.h"

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/pool/file_io.h"
#include "augment/pool/image_header.h"
#include "augment/pool/opencv_border.h"

namespace mixfeed {
namespace {

absl::Status CheckHeader(const std::string& path, const std::vector<uint8_t>& file) {
  const absl::Status status = ReadImageSize(file).status();
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(path, ": ", std::string(status.message())));
}

absl::Status Decode(const std::string& path, const std::vector<uint8_t>& file, int side,
                    uint8_t* pixels) {
  cv::Mat image = cv::imdecode(file, cv::IMREAD_COLOR);
  if (image.empty()) return absl::DataLossError(absl::StrCat(path, ": cannot be decoded"));
  if (image.size() != cv::Size(side, side)) {
    cv::resize(image, image, {side, side}, 0, 0, cv::INTER_AREA);
  }
  // OpenCV's order is blue, green, red.
  std::vector<cv::Mat> planes;
  for (int channel = 0; channel < 3; ++channel) {
    planes.emplace_back(side, side, CV_8UC1, pixels + int64_t{2 - channel} * side * side);
  }
  cv::split(image, planes);
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadImageFile(const std::string& path, int side, uint8_t* pixels) {
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<uint8_t> file,
                           ReadWholeFile(path, kMaxImageFileBytes));
  MIXFEED_RETURN_IF_ERROR(CheckHeader(path, file));
  const absl::Status status =
      StopOpenCvExceptions(path, [&] { return Decode(path, file, side, pixels); });
  // Whatever OpenCV throws about a file, the file is at fault.
  return absl::IsInternal(status) ? absl::DataLossError(std::string(status.message())) : status;
}

}  // namespace mixfeed
