#include "augment/render/cpu_renderer.h"

#include <linux/mman.h>  // MADV_COLLAPSE, which glibc 2.36 does not know
#include <sys/mman.h>

#include <cstdlib>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/base/memory.h"
#include "augment/base/status_macros.h"
#include "augment/render/cpu_kernels.h"
#include "augment/render/render_job.h"
#include "augment/render/render_request.h"
#include "augment/render/tone.h"

namespace mixfeed {
namespace {

constexpr size_t kBufferAlignment = 64;

// Rows, and tone tables, that a thread takes at a time: at about a microsecond each, less is not
// worth a hand-off.
constexpr int64_t kRowsPerChunk = 16;

// Asks for huge pages under whole ones of `bytes`: with ordinary pages every random image of a
// large pool misses the TLB, which costs a tenth of the speed. Best effort; kernels may know
// neither.
void PreferHugePages(const uint8_t* data, size_t bytes) {
  constexpr uintptr_t kHugePage = uintptr_t{2} << 20;
  const uintptr_t start = reinterpret_cast<uintptr_t>(data);
  const uintptr_t begin = (start + kHugePage - 1) / kHugePage * kHugePage;
  const uintptr_t end = (start + bytes) / kHugePage * kHugePage;
  if (begin >= end) return;
#if defined(MADV_HUGEPAGE)
  (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
#if defined(MADV_COLLAPSE)
  (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_COLLAPSE);
#endif
}

class CpuPool : public ResidentPool {
 public:
  explicit CpuPool(Pool pool) : ResidentPool(pool), pixels_(std::move(pool.pixels)) {
    PreferHugePages(pixels_.data(), pixels_.size());
  }
  const uint8_t* pixels() const { return pixels_.data(); }

 private:
  const std::vector<uint8_t> pixels_;
};

// `bytes` rounded up to the alignment, at least one of it; nullptr where that is not to be had.
void* AllocateAligned(size_t bytes) {
  if (bytes > std::numeric_limits<size_t>::max() / 2) return nullptr;
  return std::aligned_alloc(kBufferAlignment, (bytes / kBufferAlignment + 1) * kBufferAlignment);
}

class CpuBuffer : public HostBuffer {
 public:
  // `data` comes from std::aligned_alloc and is owned from here on.
  CpuBuffer(void* data, size_t size) : data_(static_cast<std::byte*>(data)), size_(size) {}
  std::byte* data() override { return data_.get(); }
  size_t size() const override { return size_; }

 private:
  struct Free {
    void operator()(std::byte* data) const { std::free(data); }
  };
  const std::unique_ptr<std::byte, Free> data_;
  const size_t size_;
};

class CpuRenderer : public Renderer {
 public:
  explicit CpuRenderer(ThreadPool* threads) : threads_(threads) {}

  absl::StatusOr<std::shared_ptr<const ResidentPool>> Load(Pool pool) override {
    MIXFEED_RETURN_IF_ERROR(ValidatePool(pool));
    const int64_t bytes = pool.count * pool.image_bytes();
    return CatchOutOfMemory("a pool", bytes,
                            [&]() -> absl::StatusOr<std::shared_ptr<const ResidentPool>> {
                              return std::make_shared<const CpuPool>(std::move(pool));
                            });
  }

  absl::StatusOr<std::unique_ptr<HostBuffer>> Allocate(size_t bytes) override {
    void* data = AllocateAligned(bytes);
    if (data == nullptr) {
      return absl::ResourceExhaustedError(
          absl::StrCat("no memory for a buffer of ", bytes, " bytes"));
    }
    return std::make_unique<CpuBuffer>(data, bytes);
  }

  absl::Status Render(const ResidentPool& pool, std::span<const RenderRow> rows,
                      const PixelFormat& format, std::span<std::byte> out) override {
    const auto* resident = dynamic_cast<const CpuPool*>(&pool);
    if (resident == nullptr) {
      return absl::InvalidArgumentError("pool was loaded by another renderer than this, the CPU's");
    }
    MIXFEED_RETURN_IF_ERROR(ValidateRequest(pool, rows, format, out));
    const RowJobs row_jobs = MakeRowJobs(pool, rows, format.normalisation);
    const std::vector<ToneTable> tables = MakeToneTables(row_jobs.tones);
    RenderJob job = MakeRenderJob(pool, format, static_cast<int64_t>(rows.size()));
    PointTo(row_jobs, tables, &job);
    job.pool = resident->pixels();
    job.out = out.data();
    threads_->ParallelFor(job.row_count, kRowsPerChunk,
                          [&job](int64_t begin, int64_t end) { RenderRowsOnCpu(job, begin, end); });
    return absl::OkStatus();
  }

  std::string description() const override {
    return absl::StrCat("cpu (", CpuTargetName(), ", ", threads_->threads(), " threads)");
  }

 private:
  std::vector<ToneTable> MakeToneTables(const std::vector<Tone>& tones) {
    std::vector<ToneTable> tables(tones.size());
    threads_->ParallelFor(
        static_cast<int64_t>(tones.size()), kRowsPerChunk, [&](int64_t begin, int64_t end) {
          for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
            tables[i] = MakeToneTable(tones[i]);
          }
        });
    return tables;
  }

  ThreadPool* const threads_;
};

}  // namespace

std::unique_ptr<Renderer> MakeCpuRenderer(ThreadPool* threads) {
  return std::make_unique<CpuRenderer>(threads);
}

}  // namespace mixfeed
