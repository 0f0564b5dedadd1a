#ifndef MIXFEED_AUGMENT_POOL_OPENCV_BORDER_H_
#define MIXFEED_AUGMENT_POOL_OPENCV_BORDER_H_

#include <exception>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mixfeed {

// Runs `body`, which returns a Status or StatusOr and calls OpenCV. An exception becomes
// an Internal error that begins with `what`: none leaves the folder.
template <typename Body>
auto StopOpenCvExceptions(const std::string& what, const Body& body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::exception& error) {  // cv::Exception is one
    return absl::InternalError(absl::StrCat(what, ": ", error.what()));
  }
}

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_OPENCV_BORDER_H_
