#include "augment/render/cpu_renderer.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "augment/render/cpu_kernels.h"
#include "gtest/gtest.h"
#include "hwy/targets.h"
#include "tests/augment/render/scenes.h"
#include "tests/testing/scoped_target.h"

namespace mixfeed {
namespace {

using testing::ExpectMatchesNaive;
using testing::FormatsOf;
using testing::MakeScene;
using testing::ManyScenes;
using testing::NamedFormat;
using testing::Scene;
using testing::SceneBytes;

// Bytes after those that a renderer may write, and what they hold.
constexpr size_t kGuardBytes = 256;
constexpr std::byte kGuard{0xA5};

std::vector<std::byte> Rendered(Renderer& renderer, const Scene& scene, const PixelFormat& format) {
  const auto pool = renderer.Load(scene.pool());
  EXPECT_TRUE(pool.ok()) << pool.status();
  const size_t bytes = SceneBytes(scene, format.type);
  std::vector<std::byte> out(bytes + kGuardBytes, kGuard);
  const absl::Status status = renderer.Render(**pool, scene.rows, format, {out.data(), bytes});
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(std::all_of(out.begin() + static_cast<ptrdiff_t>(bytes), out.end(),
                          [](std::byte b) { return b == kGuard; }))
      << "wrote past the end, " << scene.name();
  out.resize(bytes);
  return out;
}

std::vector<std::byte> Rendered(const Scene& scene, const PixelFormat& format, int threads = 1) {
  ThreadPool pool(threads);
  return Rendered(*MakeCpuRenderer(&pool), scene, format);
}

TEST(CpuRendererTest, MatchesTheNaiveRendererInEverySizePadTypeAndLayout) {
  for (const Scene& scene : ManyScenes()) {
    for (const NamedFormat& format : FormatsOf(scene)) {
      PixelFormat float32 = format.format;
      float32.type = PixelType::kFloat32;
      ExpectMatchesNaive(scene, format, Rendered(scene, format.format), Rendered(scene, float32));
      ASSERT_FALSE(HasFailure());
    }
  }
}

TEST(CpuRendererTest, SameBytesOnAnyThreadCount) {
  const Scene scene = testing::MakeVariedScene({3, 32, 32}, 4, PadMode::kReflect, 100);
  const std::vector<std::byte> alone = Rendered(scene, {}, 1);
  for (const int threads : {2, 5}) EXPECT_EQ(Rendered(scene, {}, threads), alone) << threads;
}

TEST(CpuRendererTest, MoreThreadsThanRowsChangeNothing) {
  // The first is one chunk, the second several, for some of the threads.
  for (const int rows : {3, 40}) {
    const Scene scene = MakeScene({3, 32, 32}, 4, PadMode::kReflect, rows);
    EXPECT_EQ(Rendered(scene, {}, 64), Rendered(scene, {}, 1)) << rows;
  }
}

TEST(CpuRendererTest, SeveralCallersShareOneRenderer) {
  const Scene scene = MakeScene({3, 32, 32}, 4, PadMode::kReflect, 40);
  ThreadPool threads(2);
  const std::unique_ptr<Renderer> renderer = MakeCpuRenderer(&threads);
  const std::vector<std::byte> expected = Rendered(scene, {});
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 5; ++repeat) {
        EXPECT_EQ(Rendered(*renderer, scene, {}), expected);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST(CpuRendererTest, ABatchOfNoRowsIsNothing) {
  const Scene scene = MakeScene({3, 32, 32}, 4, PadMode::kReflect, 0);
  EXPECT_TRUE(Rendered(scene, {}).empty());
}

TEST(CpuRendererTest, UnmixedRowsIgnoreTheSecondView) {
  Scene scene = MakeScene({3, 8, 8}, 1, PadMode::kReflect, 1);
  scene.rows[0].lambda = 1.0f;
  const std::vector<std::byte> expected = Rendered(scene, {});
  scene.rows[0].b = {-1, -1, -1, 9};
  EXPECT_EQ(Rendered(scene, {}), expected);
}

TEST(CpuRendererTest, ABoxShowsTheSecondViewInsideAndTheFirstOutside) {
  Scene scene = MakeScene({1, 8, 32}, 0, PadMode::kReflect, 3);
  RenderRow& boxed = scene.rows[0];
  const RenderRow alone[] = {{boxed.a, {}}, {boxed.b, {}}};
  scene.rows = {boxed, alone[0], alone[1]};
  scene.rows[0].box = {2, 3, 5, 30};
  const std::vector<std::byte> out = Rendered(scene, {PixelType::kUint8, PixelLayout::kNchw, {}});
  constexpr size_t kPixels = 8 * 32;
  for (size_t i = 0; i < kPixels; ++i) {
    const size_t y = i / 32;
    const size_t x = i % 32;
    const bool inside = y >= 2 && y < 5 && x >= 3 && x < 30;
    ASSERT_EQ(out[i], out[(inside ? 2 : 1) * kPixels + i]) << y << ", " << x;
  }
}

TEST(CpuRendererTest, AMapOfWholePixelsShowsTheCropThatItIs) {
  Scene scene = MakeScene({3, 16, 16}, 4, PadMode::kReflect, 0);
  ViewEffects moved;
  moved.resampled = true;
  moved.map = {1, 0, 3, 0, 1, 5, 0, 0};
  ViewEffects mirrored = moved;
  mirrored.map = {-1, 0, 20, 0, 1, 5, 0, 0};
  // Padded columns 20 - x: those of the mirrored image's crop at 3.
  scene.rows = {{{2, 0, 0, 0, &moved}, {}},
                {{2, 5, 3, 0}, {}},
                {{2, 0, 0, 0, &mirrored}, {}},
                {{2, 5, 3, 1}, {}}};
  const std::vector<std::byte> out = Rendered(scene, {PixelType::kUint8, PixelLayout::kNchw, {}});
  const auto image = [&](size_t i) { return std::span(out).subspan(i * 768, 768); };
  EXPECT_TRUE(std::ranges::equal(image(0), image(1)));
  EXPECT_TRUE(std::ranges::equal(image(2), image(3)));
}

TEST(CpuRendererTest, ANormalisedZeroHoleIsZeroUnderEveryNormalisation) {
  Scene scene = MakeScene({3, 8, 8}, 0, PadMode::kReflect, 1);
  ViewEffects effects;
  effects.hole = {0, 0, 8, 8};
  effects.normalised_zero = true;
  scene.rows = {{{0, 0, 0, 0, &effects}, {}}};
  for (const char* name : {"raw", "signed", "cifar10", "imagenet"}) {
    const std::vector<std::byte> out =
        Rendered(scene, {PixelType::kFloat32, PixelLayout::kNchw, *FindNormalisation(name, 3)});
    for (size_t i = 0; i < out.size(); i += sizeof(float)) {
      float pixel;
      std::memcpy(&pixel, out.data() + i, sizeof(pixel));
      ASSERT_NEAR(pixel, 0, 1e-6) << name;
    }
  }
}

// Views of many rows may have one and the same effects.
TEST(CpuRendererTest, ARowsBytesDoNotDependOnTheRowsAroundIt) {
  const Scene all = testing::MakeVariedScene({3, 32, 32}, 4, PadMode::kReflect, 24);
  const std::vector<std::byte> together = Rendered(all, {});
  const size_t image_bytes = together.size() / all.rows.size();
  Scene one = all;
  for (size_t i = 0; i < all.rows.size(); ++i) {
    one.rows = {all.rows[i]};
    EXPECT_TRUE(std::ranges::equal(Rendered(one, {}),
                                   std::span(together).subspan(i * image_bytes, image_bytes)))
        << i;
  }
}

TEST(CpuRendererTest, RowsMayShareTheirEffects) {
  Scene scene = MakeScene({3, 32, 32}, 4, PadMode::kReflect, 3);
  ViewEffects effects[3];
  for (ViewEffects& own : effects) {
    own.toned = true;
    own.contrast = 1.5;
  }
  for (size_t i = 0; i < 3; ++i) scene.rows[i].a.effects = &effects[i];
  const std::vector<std::byte> expected = Rendered(scene, {});
  for (RenderRow& row : scene.rows) row.a.effects = &effects[0];
  EXPECT_EQ(Rendered(scene, {}), expected);
}

TEST(CpuRendererTest, BuffersAreAlignedAndOfTheSizeAskedFor) {
  ThreadPool threads(1);
  const std::unique_ptr<Renderer> renderer = MakeCpuRenderer(&threads);
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{64}, size_t{786432}}) {
    const auto buffer = renderer->Allocate(bytes);
    ASSERT_TRUE(buffer.ok());
    EXPECT_EQ(reinterpret_cast<uintptr_t>((*buffer)->data()) % 64, 0u);
    EXPECT_EQ((*buffer)->size(), bytes);
  }
}

TEST(CpuRendererTest, ABufferBeyondTheMemoryIsRefused) {
  ThreadPool threads(1);
  const std::unique_ptr<Renderer> renderer = MakeCpuRenderer(&threads);
  EXPECT_EQ(renderer->Allocate(SIZE_MAX).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(CpuRendererTest, DescriptionNamesTheInstructionSetAndTheThreads) {
  ThreadPool threads(3);
  EXPECT_EQ(MakeCpuRenderer(&threads)->description(), "cpu (" + CpuTargetName() + ", 3 threads)");
}

// Formats whose numbers reach the corners of the narrow types: subnormal and infinite float16s.
std::vector<NamedFormat> FormatsForTargets(const Scene& scene) {
  std::vector<NamedFormat> formats = FormatsOf(scene);
  for (const double std : {1e-6, 1e-5, 1e3, 1e4, 1e5}) {
    Normalisation extreme;
    extreme.mean.fill(0.3);
    extreme.std.fill(std);
    for (const PixelType type : {PixelType::kFloat16, PixelType::kBfloat16, PixelType::kFloat32}) {
      formats.push_back({"std " + std::to_string(std), {type, PixelLayout::kNchw, extreme}, 0});
    }
  }
  return formats;
}

void ExpectScalarBitsOfEveryTarget(const Scene& scene, const NamedFormat& format) {
  const std::vector<std::byte> expected = testing::RenderedByElement(scene, format.format);
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    const testing::ScopedTarget scope(target);
    ASSERT_EQ(CpuTargetName(), hwy::TargetName(target));
    ASSERT_EQ(Rendered(scene, format.format), expected)
        << CpuTargetName() << ", " << scene.name() << ", " << format.name;
  }
}

TEST(CpuTargetsTest, EveryInstructionSetOfThisCpuGivesTheScalarDefinitionsBits) {
  for (const Scene& scene : ManyScenes()) {
    for (const NamedFormat& format : FormatsForTargets(scene)) {
      ExpectScalarBitsOfEveryTarget(scene, format);
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace mixfeed
