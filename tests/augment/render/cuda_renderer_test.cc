#include "augment/render/cuda_renderer.h"

#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "augment/render/cpu_renderer.h"
#include "gtest/gtest.h"
#include "tests/augment/render/scenes.h"

// Needs a GPU (label gpu).
namespace mixfeed {
namespace {

using testing::FormatsOf;
using testing::MakeScene;
using testing::ManyFormats;
using testing::ManyScenes;
using testing::NamedFormat;
using testing::Scene;
using testing::SceneBytes;

class CudaRendererTest : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<std::unique_ptr<Renderer>> made = MakeCudaRenderer(0);
    if (!made.ok()) GTEST_SKIP() << made.status();
    renderer_ = *std::move(made);
  }

  std::unique_ptr<Renderer> renderer_;
};

void ExpectRendersAsTheScalarDefinition(Renderer& renderer, const Scene& scene,
                                        const NamedFormat& format, std::span<std::byte> out) {
  const auto pool = renderer.Load(scene.pool());
  ASSERT_TRUE(pool.ok()) << pool.status();
  const absl::Status status = renderer.Render(**pool, scene.rows, format.format, out);
  ASSERT_TRUE(status.ok()) << status;
  const std::vector<std::byte> expected = testing::RenderedByElement(scene, format.format);
  ASSERT_TRUE(std::equal(expected.begin(), expected.end(), out.begin()))
      << scene.name() << ", " << format.name;
}

TEST_F(CudaRendererTest, GivesTheScalarDefinitionsBitsInPageLockedBuffers) {
  for (const Scene& scene : ManyScenes()) {
    for (const NamedFormat& format : FormatsOf(scene)) {
      const auto buffer = renderer_->Allocate(SceneBytes(scene, format.format.type));
      ASSERT_TRUE(buffer.ok()) << buffer.status();
      ExpectRendersAsTheScalarDefinition(*renderer_, scene, format,
                                         {(*buffer)->data(), (*buffer)->size()});
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(CudaRendererTest, GivesTheScalarDefinitionsBitsInOrdinaryMemory) {
  const Scene scene = MakeScene({3, 32, 32}, 4, PadMode::kReflect, 64);
  std::vector<std::byte> out(SceneBytes(scene, PixelType::kFloat32));
  ExpectRendersAsTheScalarDefinition(*renderer_, scene, ManyFormats(3).back(), out);
}

TEST_F(CudaRendererTest, MoreCallersThanStreamsGetTheirOwnBatches) {
  constexpr int kCallers = 9;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([this, caller] {
      const Scene scene = MakeScene({3, 32, 32}, 4, PadMode::kReflect, 20 + caller);
      std::vector<std::byte> out(SceneBytes(scene, PixelType::kFloat32));
      for (int repeat = 0; repeat < 5; ++repeat) {
        ExpectRendersAsTheScalarDefinition(*renderer_, scene, ManyFormats(3).back(), out);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST_F(CudaRendererTest, ABatchOfNoRowsIsNothing) {
  const Scene scene = MakeScene({3, 32, 32}, 4, PadMode::kReflect, 0);
  const auto pool = renderer_->Load(scene.pool());
  ASSERT_TRUE(pool.ok());
  EXPECT_TRUE(renderer_->Render(**pool, scene.rows, {}, {}).ok());
}

TEST_F(CudaRendererTest, APoolOfTheCpuIsRefused) {
  const Scene scene = MakeScene({3, 32, 32}, 4, PadMode::kReflect, 0);
  ThreadPool threads(1);
  const auto pool = MakeCpuRenderer(&threads)->Load(scene.pool());
  EXPECT_EQ(renderer_->Render(**pool, scene.rows, {}, {}).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(CudaRendererTest, DescriptionNamesTheDevice) {
  EXPECT_EQ(renderer_->description().rfind("cuda:0 (", 0), 0u);
}

TEST_F(CudaRendererTest, ADeviceThatIsNotThereIsAFailedPrecondition) {
  for (const int device : {-1, 1000}) {
    EXPECT_EQ(MakeCudaRenderer(device).status().code(), absl::StatusCode::kFailedPrecondition);
  }
}

}  // namespace
}  // namespace mixfeed
