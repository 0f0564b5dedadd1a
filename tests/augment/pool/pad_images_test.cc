#include "augment/pool/pad_images.h"

#include <gtest/gtest.h>

#include <opencv2/core.hpp>

#include "tests/augment/pool/status_matchers.h"
#include "tests/testing/tiny_dataset.h"

namespace mixfeed {
namespace {

using testing::FailsWith;
using testing::IsOk;

// Every plane of `set` with OpenCV's black border around it.
std::vector<uint8_t> PaddedByOpenCv(ImageSet set, const ImageShape& shape, int side) {
  const int top = (side - shape.height) / 2;
  const int left = (side - shape.width) / 2;
  std::vector<uint8_t> all;
  for (int64_t plane = 0; plane < set.count() * shape.channels; ++plane) {
    const cv::Mat image(shape.height, shape.width, CV_8UC1,
                        set.pixels.data() + plane * shape.height * shape.width);
    cv::Mat padded;
    cv::copyMakeBorder(image, padded, top, side - shape.height - top, left,
                       side - shape.width - left, cv::BORDER_CONSTANT, cv::Scalar(0));
    all.insert(all.end(), padded.begin<uint8_t>(), padded.end<uint8_t>());
  }
  return all;
}

TEST(PadImagesTest, PutsEveryImageInTheMiddle) {
  struct Case {
    ImageShape shape;
    int side;
  };
  const Case cases[] = {{{1, 28, 28}, 32}, {{1, 28, 28}, 31}, {{1, 28, 28}, 28},
                        {{1, 5, 9}, 10},   {{3, 20, 7}, 64},  {{1, 1, 1}, 256}};
  for (const Case& c : cases) {
    const Dataset before = testing::TinyDataset(7, 3, 2, c.shape);
    Dataset dataset = before;
    ASSERT_THAT(PadImages(c.side, &dataset), IsOk());
    EXPECT_EQ(dataset.shape, (ImageShape{c.shape.channels, c.side, c.side}));
    EXPECT_EQ(dataset.train.pixels, PaddedByOpenCv(before.train, c.shape, c.side));
    EXPECT_EQ(dataset.test.pixels, PaddedByOpenCv(before.test, c.shape, c.side));
    EXPECT_EQ(dataset.train.labels, before.train.labels);
  }
}

TEST(PadImagesTest, RefusesSidesOutOfRange) {
  const Dataset before = testing::TinyDataset(7, 3, 2, {1, 28, 30});
  for (const int side : {29, 257, -1}) {
    Dataset dataset = before;
    EXPECT_THAT(PadImages(side, &dataset),
                FailsWith(absl::StatusCode::kInvalidArgument,
                          "pad is " + std::to_string(side) +
                              " and images are 28x30; allowed are 30 to 256"));
    EXPECT_EQ(dataset.shape, before.shape);
    EXPECT_EQ(dataset.train.pixels, before.train.pixels);
  }
}

}  // namespace
}  // namespace mixfeed
