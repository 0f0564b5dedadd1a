#include "tests/augment/recipe/mixed_batch.h"

#include <gtest/gtest.h>

#include <cstring>

#include "augment/render/cpu_renderer.h"

namespace mixfeed::testing {
namespace {

RenderRow MakeRow(int32_t image, int32_t partner, float lambda) {
  return {.a = {.image = image}, .b = {.image = partner}, .lambda = lambda};
}

void SetBoxes(const GoldenCase& golden, std::vector<RenderRow>& rows) {
  const std::vector<int32_t> cut = golden.integers("cut");
  const std::vector<int32_t> corners = golden.integers("box");
  ASSERT_EQ(corners.size(), 4 * rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    if (cut[i] == 0) continue;
    const auto corner = [&](size_t which) { return static_cast<int16_t>(corners[4 * i + which]); };
    rows[i].box = {corner(0), corner(1), corner(2), corner(3)};
    if (rows[i].box.empty()) rows[i].lambda = 1;
  }
}

// Rendered in the golden's type, as numbers.
std::vector<float> Rendered(const MixedBatch& batch, int images) {
  ThreadPool threads(1);
  const std::unique_ptr<Renderer> renderer = MakeCpuRenderer(&threads);
  const auto pool =
      renderer->Load(*MakePool(batch.shape, batch.images, 0, PadMode::kReflect, &threads));
  EXPECT_TRUE(pool.ok()) << pool.status();
  EXPECT_EQ((*pool)->count(), images);
  PixelFormat format;
  format.type = batch.type;
  std::vector<std::byte> out(batch.rows.size() * ImageBytes(batch.shape, batch.type));
  const absl::Status status = renderer->Render(**pool, batch.rows, format, out);
  EXPECT_TRUE(status.ok()) << status;
  std::vector<float> values(batch.pixels.size());
  if (batch.type == PixelType::kFloat32) {
    std::memcpy(values.data(), out.data(), out.size());
  } else {
    for (size_t i = 0; i < values.size(); ++i) values[i] = std::to_integer<uint8_t>(out[i]);
  }
  return values;
}

}  // namespace

MixedBatch ReadMixedBatch(const GoldenCase& golden) {
  MixedBatch batch;
  const std::vector<int32_t> shape = golden.integers("shape");
  batch.shape = {shape.at(0), shape.at(1), shape.at(2)};
  batch.classes = golden.integer("classes");
  batch.images = ExampleImages(golden.integer("rows"), batch.shape);
  batch.image_labels = ExampleLabels(golden.integer("rows"), batch.classes);
  batch.smoothing = golden.number("smoothing");
  batch.own_targets = golden.text("targets") == "own";
  batch.lambda = golden.floats("lambda");
  const std::vector<int32_t> partner = golden.integers("partner");
  for (size_t i = 0; i < partner.size(); ++i) {
    batch.rows.push_back(MakeRow(static_cast<int32_t>(i), partner[i], batch.lambda.at(i)));
  }
  if (HasBoxes(golden)) SetBoxes(golden, batch.rows);
  batch.type = golden.text("type") == "uint8" ? PixelType::kUint8 : PixelType::kFloat32;
  batch.pixels = golden.floats("pixels");
  batch.labels = golden.floats("labels");
  return batch;
}

void ExpectRendersAsGolden(const GoldenCase& golden) {
  const MixedBatch batch = ReadMixedBatch(golden);
  const std::vector<float> got = Rendered(batch, golden.integer("rows"));
  ASSERT_EQ(got.size(), batch.rows.size() * static_cast<size_t>(batch.shape.pixels()));
  // Of raw levels; the goldens are float32 arithmetic too, and written with 7 digits.
  const float tolerance = batch.type == PixelType::kUint8 ? 0 : 3e-4f;
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], batch.pixels[i], tolerance) << golden.name() << ", value " << i;
  }
}

}  // namespace mixfeed::testing
