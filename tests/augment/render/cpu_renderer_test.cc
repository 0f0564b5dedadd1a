#include "augment/render/cpu_renderer.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
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
  const Scene scene = MakeScene({3, 32, 32}, 4, PadMode::kReflect, 100);
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
