#include "tests/augment/render/scenes.h"

#include <cmath>
#include <cstring>
#include <random>

#include "absl/strings/str_cat.h"
#include "augment/render/render_element.h"
#include "gtest/gtest.h"
#include "tests/augment/render/narrow_reference.h"

namespace mixfeed::testing {
namespace {

constexpr int kImages = 7;

RenderView RandomView(std::mt19937& random, int pad) {
  std::uniform_int_distribution<int> image(0, kImages - 1);
  std::uniform_int_distribution<int16_t> offset(0, static_cast<int16_t>(2 * pad));
  return {image(random), offset(random), offset(random), static_cast<uint8_t>(random() & 1)};
}

float LambdaOfRow(std::mt19937& random, int row) {
  constexpr float kSpecial[] = {1.0f, 0.0f, 0.5f, 0.99999994f, 1e-30f};
  constexpr int kPeriod = 8;
  const int place = row % kPeriod;
  if (place < static_cast<int>(std::size(kSpecial))) return kSpecial[place];
  return std::uniform_real_distribution<float>(0.0f, 1.0f)(random);
}

template <class T>
T Element(std::span<const std::byte> bytes, size_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

// A uint8 may be off by one where the exact value is so close to a tie that float32, in which
// pixels are mixed, does not tell them apart.
void ExpectRounded(double exact, uint8_t got) {
  constexpr double kTie = 1e-4;
  ASSERT_LE(std::abs(got - exact), 0.5 + kTie);
}

void ExpectElement(const NamedFormat& format, double exact, std::span<const std::byte> out,
                   std::span<const std::byte> as_float32, size_t index) {
  const float float32 = Element<float>(as_float32, index);
  switch (format.format.type) {
    case PixelType::kUint8:
      return ExpectRounded(exact, Element<uint8_t>(out, index));
    case PixelType::kFloat32:
      ASSERT_NEAR(Element<float>(out, index), exact, format.tolerance);
      return;
    case PixelType::kFloat16:
      ASSERT_EQ(DecodeNarrow(kFloat16Type, Element<uint16_t>(out, index)),
                RoundNarrow(kFloat16Type, float32));
      return;
    case PixelType::kBfloat16:
      ASSERT_EQ(DecodeNarrow(kBfloat16Type, Element<uint16_t>(out, index)),
                RoundNarrow(kBfloat16Type, float32));
      return;
  }
}

class ScenePool : public ResidentPool {
 public:
  explicit ScenePool(const Pool& pool) : ResidentPool(pool) {}
};

}  // namespace

Pool Scene::pool() const {
  ThreadPool threads(1);
  return *MakePool(shape, images, pad, mode, &threads);
}

std::string Scene::name() const {
  return absl::StrCat(shape.channels, "x", shape.height, "x", shape.width, " pad ", pad, " mode ",
                      static_cast<int>(mode), " rows ", rows.size());
}

Scene MakeScene(const ImageShape& shape, int pad, PadMode mode, int rows) {
  std::mt19937 random(static_cast<uint32_t>(shape.pixels() + pad + rows));
  Scene scene = {shape, pad, mode, {}, {}};
  scene.images.resize(static_cast<size_t>(kImages * shape.pixels()));
  for (uint8_t& pixel : scene.images) pixel = static_cast<uint8_t>(random());
  for (int row = 0; row < rows; ++row) {
    const RenderView a = RandomView(random, pad);
    const RenderView b = RandomView(random, pad);
    scene.rows.push_back({a, b, LambdaOfRow(random, row)});
  }
  return scene;
}

std::vector<Scene> ManyScenes() {
  constexpr int kRowsOfEightViews = 2 * (8 + 1);
  return {
      MakeScene({1, 1, 1}, 0, PadMode::kReflect, 1),
      MakeScene({3, 1, 1}, 3, PadMode::kEdge, 9),
      MakeScene({3, 5, 7}, 4, PadMode::kReflect, kRowsOfEightViews),
      MakeScene({1, 5, 7}, 2, PadMode::kZero, 3),
      MakeScene({3, 33, 31}, 5, PadMode::kReflect, 9),
      MakeScene({1, 33, 31}, 0, PadMode::kZero, 1),
      MakeScene({1, 28, 28}, 2, PadMode::kZero, kRowsOfEightViews),
      MakeScene({3, 32, 32}, 4, PadMode::kReflect, kRowsOfEightViews),
      MakeScene({3, 32, 32}, 4, PadMode::kZero, 1),
      MakeScene({3, 32, 32}, 64, PadMode::kEdge, 2),
      MakeScene({3, 3, 67}, 1, PadMode::kEdge, 9),
      MakeScene({3, 16, 16}, 15, PadMode::kReflect, 9),
      MakeScene({2, 6, 17}, 1, PadMode::kReflect, 9),
      MakeScene({4, 6, 17}, 1, PadMode::kReflect, 9),
  };
}

std::vector<NamedFormat> ManyFormats(int channels) {
  struct NamedTolerance {
    const char* normalisation;
    double tolerance;
  };
  constexpr NamedTolerance kNormalisations[] = {
      {"raw", 255 * 1e-6}, {"signed", 1e-6}, {"cifar10", 2e-6}};
  constexpr const char* kTypes[] = {"uint8", "float16", "bfloat16", "float32"};
  std::vector<NamedFormat> formats;
  for (const NamedTolerance& named : kNormalisations) {
    const absl::StatusOr<Normalisation> normalisation =
        FindNormalisation(named.normalisation, channels);
    if (!normalisation.ok()) continue;
    for (int type = 0; type < 4; ++type) {
      for (const PixelLayout layout : {PixelLayout::kNchw, PixelLayout::kNhwc}) {
        const PixelFormat format = {static_cast<PixelType>(type), layout, *normalisation};
        if (!ValidatePixelFormat(format, channels).ok()) continue;
        formats.push_back({absl::StrCat(kTypes[type], " layout ", static_cast<int>(layout), " ",
                                        named.normalisation),
                           format, named.tolerance});
      }
    }
  }
  return formats;
}

size_t SceneBytes(const Scene& scene, PixelType type) {
  return scene.rows.size() * ImageBytes(scene.shape, type);
}

std::vector<std::byte> RenderedByElement(const Scene& scene, const PixelFormat& format) {
  const Pool pool = scene.pool();
  const ScenePool resident(pool);
  std::vector<std::byte> out(SceneBytes(scene, format.type));
  const std::vector<RowJob> rows = MakeRowJobs(resident, scene.rows, format.normalisation);
  RenderJob job = MakeRenderJob(resident, format, static_cast<int64_t>(rows.size()));
  job.pool = pool.pixels.data();
  job.rows = rows.data();
  job.out = out.data();
  const auto elements = static_cast<uint32_t>(scene.shape.pixels());
  for (int64_t row = 0; row < job.row_count; ++row) {
    for (uint32_t index = 0; index < elements; ++index) RenderElement(job, row, index);
  }
  return out;
}

void ExpectMatchesNaive(const Scene& scene, const NamedFormat& format,
                        std::span<const std::byte> out, std::span<const std::byte> as_float32) {
  const std::vector<double> exact =
      RenderNaively(scene.source(), scene.rows, format.format.normalisation);
  const ImageShape& shape = scene.shape;
  const auto channels = static_cast<size_t>(shape.channels);
  const size_t pixels = static_cast<size_t>(shape.height) * static_cast<size_t>(shape.width);
  for (size_t i = 0; i < exact.size(); ++i) {
    const size_t row = i / (channels * pixels);
    const size_t channel = i / pixels % channels;
    const size_t nhwc = (row * pixels + i % pixels) * channels + channel;
    const size_t at = format.format.layout == PixelLayout::kNhwc ? nhwc : i;
    ExpectElement(format, exact[i], out, as_float32, at);
    if (::testing::Test::HasFatalFailure()) {
      FAIL() << scene.name() << ", " << format.name << ", row " << row << " channel " << channel
             << " pixel " << i % pixels;
    }
  }
}

}  // namespace mixfeed::testing
