#include "augment/render/render_job.h"

#include <array>
#include <cstring>
#include <unordered_map>
#include <utility>

namespace mixfeed {
namespace {

// Along an axis of one pixel every coordinate shows that pixel: the reflection takes it to be 0.
ProjectiveMap MakeMap(const ResidentPool& pool, const std::array<float, 8>& map) {
  ProjectiveMap made;
  for (size_t i = 0; i < map.size(); ++i) made.m[i] = map[i];
  const bool one_column = pool.shape().width + 2 * pool.pad() == 1;
  const bool one_row = pool.shape().height + 2 * pool.pad() == 1;
  for (int i = 0; i < 3; ++i) {
    if (one_column) made.m[i] = 0;
    if (one_row) made.m[3 + i] = 0;
  }
  return made;
}

class JobMaker {
 public:
  JobMaker(const ResidentPool& pool, const Normalisation& normalisation)
      : pool_(pool),
        normalisation_(normalisation),
        strides_(MakePoolStrides(pool.shape(), pool.pad())),
        channels_(static_cast<size_t>(pool.shape().channels)) {}

  RowJobs Make(std::span<const RenderRow> rows) {
    jobs_.rows.reserve(rows.size());
    for (const RenderRow& row : rows) jobs_.rows.push_back(MakeRow(row));
    return std::move(jobs_);
  }

 private:
  RowJob MakeRow(const RenderRow& row) {
    RowJob job;
    job.kind = KindOf(row);
    job.a = MakeSource(row.a);
    job.b = job.kind == RowKind::kSingle ? job.a : MakeSource(row.b);
    if (job.kind == RowKind::kBoxed) job.box = row.box;
    const bool alone = job.kind == RowKind::kSingle || job.kind == RowKind::kBoxed;
    const double a_share = alone ? 1.0 : double{row.lambda};
    double b_share = 1.0 - a_share;
    job.first_more = static_cast<int32_t>(jobs_.more.size());
    job.more_count = static_cast<int32_t>(row.more.size());
    for (const WeightedView& further : row.more) {
      jobs_.more.push_back(MakeMore(further));
      b_share -= further.weight;
    }
    for (size_t c = 0; c < channels_; ++c) {
      job.channels[c] =
          MakeChannelMix(normalisation_.mean[c], normalisation_.std[c], a_share, b_share);
    }
    return job;
  }

  static RowKind KindOf(const RenderRow& row) {
    if (!row.more.empty()) return RowKind::kMany;
    if (!row.box.empty()) return RowKind::kBoxed;
    return row.lambda == 1.0f ? RowKind::kSingle : RowKind::kPair;
  }

  MoreJob MakeMore(const WeightedView& further) {
    MoreJob job;
    job.source = MakeSource(further.view);
    for (size_t c = 0; c < channels_; ++c) {
      job.weights[c] = FoldedWeight(further.weight, normalisation_.std[c]);
    }
    return job;
  }

  SourceJob MakeSource(const RenderView& view) {
    if (view.effects != nullptr && view.effects->resampled) {
      return {LocateView(strides_, view.image, 0, 0, false), EffectsOf(*view.effects)};
    }
    return {LocateView(strides_, view.image, view.crop_y, view.crop_x, view.flip != 0),
            view.effects == nullptr ? kNone : EffectsOf(*view.effects)};
  }

  int32_t EffectsOf(const ViewEffects& effects) {
    if (!effects.resampled && !effects.toned && effects.hole.empty()) return kNone;
    EffectsJob& job = jobs_.effects.emplace_back();
    job.resampled = effects.resampled;
    if (effects.resampled) job.map = MakeMap(pool_, effects.map);
    if (effects.toned) job.tone = ToneOf(effects);
    if (!effects.hole.empty()) job.hole = effects.hole;
    for (size_t c = 0; c < channels_; ++c) {
      job.fill[c] = effects.normalised_zero ? static_cast<float>(255.0 * normalisation_.mean[c])
                                            : effects.fill[c];
    }
    return static_cast<int32_t>(jobs_.effects.size() - 1);
  }

  // Views that share their effects share the table, which takes longer to make than to find.
  int32_t ToneOf(const ViewEffects& effects) {
    const auto [place, added] =
        tones_.try_emplace(&effects, static_cast<int32_t>(jobs_.tones.size()));
    if (added) jobs_.tones.push_back({effects.contrast, effects.brightness});
    return place->second;
  }

  const ResidentPool& pool_;
  const Normalisation& normalisation_;
  const PoolStrides strides_;
  const size_t channels_;
  RowJobs jobs_;
  std::unordered_map<const ViewEffects*, int32_t> tones_;
};

// Copies arrays one after another, each at a multiple of the strictest alignment.
class Packer {
 public:
  Packer(std::byte* copy, const std::byte* there) : copy_(copy), there_(there) {}

  template <class Array>
  static size_t Bytes(const Array& array) {
    constexpr size_t kAlignment = alignof(std::max_align_t);
    return (std::span(array).size_bytes() + kAlignment - 1) / kAlignment * kAlignment;
  }

  // Where the copy is going to be.
  template <class Array>
  auto Add(const Array& array) {
    const std::span items(array);
    if (!items.empty()) std::memcpy(copy_ + used_, items.data(), items.size_bytes());
    const auto* const there = reinterpret_cast<decltype(items.data())>(there_ + used_);
    used_ += Bytes(array);
    return there;
  }

 private:
  std::byte* const copy_;
  const std::byte* const there_;
  size_t used_ = 0;
};

}  // namespace

RowJobs MakeRowJobs(const ResidentPool& pool, std::span<const RenderRow> rows,
                    const Normalisation& normalisation) {
  return JobMaker(pool, normalisation).Make(rows);
}

RenderJob MakeRenderJob(const ResidentPool& pool, const PixelFormat& format, int64_t row_count) {
  RenderJob job;
  job.channels = pool.shape().channels;
  job.height = pool.shape().height;
  job.width = pool.shape().width;
  job.type = format.type;
  job.layout = format.layout;
  job.strides = MakePoolStrides(pool.shape(), pool.pad());
  job.x_axis = MakeReflectedAxis(pool.shape().width + 2 * pool.pad());
  job.y_axis = MakeReflectedAxis(pool.shape().height + 2 * pool.pad());
  job.row_count = row_count;
  return job;
}

void PointTo(const RowJobs& rows, std::span<const ToneTable> tables, RenderJob* job) {
  job->rows = rows.rows.data();
  job->more = rows.more.data();
  job->effects = rows.effects.data();
  job->tones = tables.data();
}

size_t PackedBytes(const RowJobs& rows, std::span<const ToneTable> tables) {
  return Packer::Bytes(rows.rows) + Packer::Bytes(rows.more) + Packer::Bytes(rows.effects) +
         Packer::Bytes(tables);
}

void Pack(const RowJobs& rows, std::span<const ToneTable> tables, std::byte* copy,
          const std::byte* there, RenderJob* job) {
  Packer packer(copy, there);
  job->rows = packer.Add(rows.rows);
  job->more = packer.Add(rows.more);
  job->effects = packer.Add(rows.effects);
  job->tones = packer.Add(tables);
}

}  // namespace mixfeed
