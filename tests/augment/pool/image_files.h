#ifndef MIXFEED_TESTS_AUGMENT_POOL_IMAGE_FILES_H_
#define MIXFEED_TESTS_AUGMENT_POOL_IMAGE_FILES_H_

#include <cstdint>
#include <filesystem>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <vector>

namespace mixfeed::testing {

// Writes an image of one colour in the format of the path's extension; makes its folder.
inline void WriteColour(const std::string& path, int red, int green, int blue, int width = 32,
                        int height = 32) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  cv::imwrite(path, cv::Mat(height, width, CV_8UC3, cv::Scalar(blue, green, red)));
}

// Writes the red, green and blue plane of a side x side image, one after another in `planes`.
inline void WritePlanes(const std::string& path, std::vector<uint8_t> planes, int side) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::vector<cv::Mat> channels;  // OpenCV's order is blue, green, red
  for (const int channel : {2, 1, 0}) {
    channels.emplace_back(side, side, CV_8UC1, planes.data() + int64_t{channel} * side * side);
  }
  cv::Mat image;
  cv::merge(channels, image);
  cv::imwrite(path, image);
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_POOL_IMAGE_FILES_H_
