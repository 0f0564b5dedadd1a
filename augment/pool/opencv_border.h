#ifndef MIXFEED_AUGMENT_POOL_OPENCV_BORDER_H_
#define MIXFEED_AUGMENT_POOL_OPENCV_BORDER_H_

#include <exception>
#include <new>
#include <opencv2/core.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mixfeed {

// Runs `body`, which returns a Status or StatusOr and calls OpenCV. An exception becomes
// an Internal error that begins with `what`, or ResourceExhausted without memory: none leaves the
// folder.
template <typename Body>
auto StopOpenCvExceptions(const std::string& what, const Body& body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat(what, ": no memory for its pixels"));
  } catch (const cv::Exception& error) {
    const auto code = error.code == cv::Error::StsNoMem ? absl::StatusCode::kResourceExhausted
                                                        : absl::StatusCode::kInternal;
    return absl::Status(code, absl::StrCat(what, ": ", error.what()));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(what, ": ", error.what()));
  }
}

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_OPENCV_BORDER_H_
