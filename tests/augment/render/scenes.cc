#include "tests/augment/render/scenes.h"

#include <algorithm>
#include <array>
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

// How far off resampled coordinates may be, in pixels, for the larger of the two axes.
double CoordinateTolerance(const ImageShape& shape, const std::array<float, 8>& map) {
  constexpr double kRounding = 0x1p-24;
  const double x = shape.width - 1;
  const double y = shape.height - 1;
  const auto magnitude = [&](size_t first, double constant) {
    return std::abs(map[first]) * x + std::abs(map[first + 1]) * y + std::abs(constant);
  };
  const double terms = std::max(magnitude(0, map[2]), magnitude(3, map[5]));
  const double below = magnitude(6, 1);
  double smallest = 1;
  for (const double at_x : {0.0, x}) {
    for (const double at_y : {0.0, y}) {
      smallest = std::min(smallest, map[6] * at_x + map[7] * at_y + 1);
    }
  }
  return 4 * kRounding * (terms + terms / smallest * below) / smallest;
}

// The steepest rise of a tone, in levels a level.
double Steepest(const ViewEffects& effects) {
  const auto toned = [&](double level) {
    const double p = std::clamp(level / 255, 1e-7, 1 - 1e-7);
    return 255 / (1 + std::exp(-effects.contrast * (std::log(p / (1 - p)) + effects.brightness)));
  };
  double steepest = 0;
  for (int level = 0; level < 255; ++level) {
    steepest = std::max(steepest, toned(level + 1) - toned(level));
  }
  return steepest;
}

// How many levels a view's pixels may be off; neighbouring pixels may be all 255 apart.
double LevelTolerance(const ImageShape& shape, const RenderView& view) {
  if (view.effects == nullptr || !view.effects->resampled) return 0;
  constexpr double kRoundingOfLevels = 1e-4;
  const double level = 2 * 255 * CoordinateTolerance(shape, view.effects->map) + kRoundingOfLevels;
  return level * (view.effects->toned ? std::max(1.0, Steepest(*view.effects)) : 1.0);
}

double LevelTolerance(const ImageShape& shape, const RenderRow& row) {
  double tolerance = std::max(LevelTolerance(shape, row.a), LevelTolerance(shape, row.b));
  for (const WeightedView& further : row.more) {
    tolerance = std::max(tolerance, LevelTolerance(shape, further.view));
  }
  return tolerance;
}

template <class T>
T Element(std::span<const std::byte> bytes, size_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

// A uint8 may be off by one where the exact value is so close to a tie that float32, in which
// pixels are mixed, does not tell them apart.
void ExpectRounded(double exact, double levels, uint8_t got) {
  constexpr double kTie = 1e-4;
  ASSERT_LE(std::abs(got - exact), 0.5 + kTie + levels);
}

// The exact value of an element, and how far off it may be because of resampling.
struct Expected {
  double exact;
  double levels;      // of 0..255
  double normalised;  // the same after normalisation
};

void ExpectElement(const NamedFormat& format, const Expected& expected,
                   std::span<const std::byte> out, std::span<const std::byte> as_float32,
                   size_t index) {
  const float float32 = Element<float>(as_float32, index);
  switch (format.format.type) {
    case PixelType::kUint8:
      return ExpectRounded(expected.exact, expected.levels, Element<uint8_t>(out, index));
    case PixelType::kFloat32:
      ASSERT_NEAR(Element<float>(out, index), expected.exact,
                  format.tolerance + expected.normalised);
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

namespace {

using DrawRow = RenderRow (RowMaker::*)(int);

Scene DrawScene(const ImageShape& shape, int pad, PadMode mode, int rows, DrawRow draw) {
  std::mt19937 random(static_cast<uint32_t>(shape.pixels() + pad + rows));
  Scene scene = {shape, pad, mode, {}, {}};
  scene.images.resize(static_cast<size_t>(kImages * shape.pixels()));
  for (uint8_t& pixel : scene.images) pixel = static_cast<uint8_t>(random());
  RowMaker maker(&random, shape, pad, kImages, scene.parts.get());
  for (int row = 0; row < rows; ++row) scene.rows.push_back((maker.*draw)(row));
  return scene;
}

}  // namespace

Scene MakeScene(const ImageShape& shape, int pad, PadMode mode, int rows) {
  return DrawScene(shape, pad, mode, rows, &RowMaker::PlainRow);
}

Scene MakeVariedScene(const ImageShape& shape, int pad, PadMode mode, int rows) {
  return DrawScene(shape, pad, mode, rows, &RowMaker::VariedRow);
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
      MakeVariedScene({1, 1, 1}, 0, PadMode::kReflect, 16),
      MakeVariedScene({3, 1, 4}, 0, PadMode::kZero, 16),
      MakeVariedScene({3, 5, 1}, 1, PadMode::kEdge, 16),
      MakeVariedScene({3, 5, 7}, 4, PadMode::kReflect, 32),
      MakeVariedScene({1, 8, 8}, 0, PadMode::kZero, 32),
      MakeVariedScene({3, 17, 16}, 0, PadMode::kZero, 32),
      MakeVariedScene({2, 6, 17}, 1, PadMode::kReflect, 16),
      MakeVariedScene({4, 6, 17}, 1, PadMode::kReflect, 16),
      MakeVariedScene({1, 28, 28}, 2, PadMode::kZero, 40),
      MakeVariedScene({3, 32, 32}, 4, PadMode::kReflect, 64),
      MakeVariedScene({3, 64, 64}, 8, PadMode::kReflect, 12),
      MakeVariedScene({3, 96, 96}, 0, PadMode::kEdge, 8),
      MakeVariedScene({3, 224, 224}, 28, PadMode::kReflect, 4),
      MakeVariedScene({4, 256, 256}, 0, PadMode::kZero, 4),
      // Beyond the planes that vectors resample.
      MakeVariedScene({1, 520, 510}, 0, PadMode::kZero, 4),
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

std::vector<NamedFormat> FormatsOf(const Scene& scene) {
  constexpr size_t kManyPixels = 250'000;
  std::vector<NamedFormat> formats = ManyFormats(scene.shape.channels);
  if (SceneBytes(scene, PixelType::kUint8) < kManyPixels) return formats;
  return {formats.front(), formats.back()};
}

size_t SceneBytes(const Scene& scene, PixelType type) {
  return scene.rows.size() * ImageBytes(scene.shape, type);
}

std::vector<std::byte> RenderedByElement(const Scene& scene, const PixelFormat& format) {
  const Pool pool = scene.pool();
  const ScenePool resident(pool);
  std::vector<std::byte> out(SceneBytes(scene, format.type));
  const RowJobs rows = MakeRowJobs(resident, scene.rows, format.normalisation);
  const std::vector<ToneTable> tables = MakeToneTables(rows.tones);
  RenderJob job = MakeRenderJob(resident, format, static_cast<int64_t>(scene.rows.size()));
  // As the CUDA renderer's, in one piece.
  std::vector<std::byte> packed(PackedBytes(rows, tables));
  Pack(rows, tables, packed.data(), packed.data(), &job);
  job.pool = pool.pixels.data();
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
  std::vector<double> levels;
  for (const RenderRow& row : scene.rows) levels.push_back(LevelTolerance(shape, row));
  for (size_t i = 0; i < exact.size(); ++i) {
    const size_t row = i / (channels * pixels);
    const size_t channel = i / pixels % channels;
    const size_t nhwc = (row * pixels + i % pixels) * channels + channel;
    const size_t at = format.format.layout == PixelLayout::kNhwc ? nhwc : i;
    const double normalised = levels[row] / 255 / format.format.normalisation.std[channel];
    ExpectElement(format, {exact[i], levels[row], normalised}, out, as_float32, at);
    if (::testing::Test::HasFatalFailure()) {
      FAIL() << scene.name() << ", " << format.name << ", row " << row << " channel " << channel
             << " pixel " << i % pixels;
    }
  }
}

}  // namespace mixfeed::testing
