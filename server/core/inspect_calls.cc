#include "server/core/inspect_calls.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/guess/not_yet.h"
#include "server/core/batch_convert.h"
#include "server/core/contact_sheet.h"
#include "server/core/feed_calls.h"
#include "server/core/forward_meter.h"
#include "server/core/guess_report.h"
#include "server/core/plan_rows.h"
#include "server/core/spec_convert.h"

namespace mixfeed {
namespace {

constexpr uint32_t kDefaultSheetRows = 24;
constexpr uint32_t kMaxSheetRows = 256;
constexpr uint32_t kDefaultSheetScale = 3;
constexpr uint32_t kMaxSheetScale = 8;
constexpr uint32_t kDefaultMeasureMs = 2000;
constexpr uint32_t kMaxMeasureMs = 60'000;
constexpr uint32_t kMaxValidate = 16;

v1::DatasetInfo Describe(const DatasetStore::Entry& entry) {
  v1::DatasetInfo info;
  info.set_name(entry.name);
  if (!entry.status.ok()) {
    info.set_error(std::string(entry.status.message()));
    return info;
  }
  const Dataset& dataset = *entry.dataset;
  info.set_train_images(static_cast<uint64_t>(dataset.train.count()));
  info.set_test_images(static_cast<uint64_t>(dataset.test.count()));
  *info.mutable_image() = ShapeToProto(dataset.shape);
  for (const std::string& name : dataset.class_names) info.add_class_names(name);
  info.set_fingerprint(absl::StrCat(absl::Hex(dataset.fingerprint, absl::kZeroPad16)));
  return info;
}

// The lists of one split may have hundreds of thousands of indices, and there may be many feeds.
v1::FeedSpec WithoutLists(v1::FeedSpec spec) {
  spec.mutable_split()->clear_labelled_list();
  spec.mutable_split()->clear_unlabelled_list();
  spec.mutable_split()->clear_validation_list();
  return spec;
}

absl::Status CheckGuesses(const OpenedFeed& feed) {
  if (feed.spec.recipe.guesses()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("feed ", feed.id, " does not guess: its recipe is ", feed.spec.recipe.preset));
}

template <typename Field>
void Fill(const std::vector<int32_t>& list, Field* field) {
  for (const int32_t index : list) field->Add(static_cast<uint32_t>(index));
}

}  // namespace

v1::GetServerInfoResponse InspectCalls::GetServerInfo() const {
  v1::GetServerInfoResponse info;
  info.set_version(MIXFEED_VERSION);
  info.set_device(core_->device());
  info.set_environment(core_->environment());
  for (const DatasetStore::Entry& entry : core_->datasets()->entries()) {
    *info.add_datasets() = Describe(entry);
  }
  for (v1::Model& model : core_->models()->List()) *info.add_models() = std::move(model);
  const EngineStats stats = core_->engine()->stats();
  info.set_open_feeds(static_cast<uint32_t>(stats.feeds));
  info.set_max_credits(static_cast<uint32_t>(core_->options().max_credits));
  info.set_max_prefetch(static_cast<uint32_t>(core_->options().max_prefetch));
  info.set_live_slots(static_cast<uint64_t>(core_->slots().live_slots()));
  info.set_live_slot_bytes(static_cast<uint64_t>(core_->slots().live_bytes()));
  info.set_max_slot_bytes(static_cast<uint64_t>(core_->slots().max_bytes()));
  info.set_live_frames(static_cast<uint64_t>(core_->live_frames()));
  info.set_consumers(static_cast<uint64_t>(stats.consumers));
  info.set_batches_made(static_cast<uint64_t>(stats.batches_made));
  info.set_waiting_batches(static_cast<uint64_t>(stats.waiting_batches));
  for (const NeighbourStore::Build& build : core_->neighbours()->Builds()) {
    v1::NeighbourBuild* const under_way = info.add_neighbour_builds();
    under_way->set_dataset(build.dataset);
    under_way->set_images(static_cast<uint64_t>(build.images));
    under_way->set_neighbours(static_cast<uint32_t>(build.neighbours));
    under_way->set_done(build.done);
  }
  return info;
}

v1::ListFeedsResponse InspectCalls::ListFeeds() const {
  v1::ListFeedsResponse response;
  for (const auto& feed : core_->feeds()->List()) {
    v1::FeedInfo* info = response.add_feeds();
    info->set_feed_id(feed->id);
    info->set_run(feed->run);
    *info->mutable_spec() = WithoutLists(SpecToProto(feed->spec));
    info->set_consumers(static_cast<uint32_t>(core_->engine()->ConsumersOf(feed->id)));
    const FeedTraffic traffic = core_->engine()->TrafficOf(feed->id);
    info->set_served(static_cast<uint64_t>(traffic.served));
    info->set_served_through(static_cast<uint64_t>(traffic.served_through));
  }
  return response;
}

absl::StatusOr<v1::GetPlanResponse> InspectCalls::GetPlan(const v1::GetPlanRequest& request) const {
  MIXFEED_ASSIGN_OR_RETURN(const auto feed, core_->feeds()->Find(request.feed_id()));
  MIXFEED_ASSIGN_OR_RETURN(const int64_t step, StepFromProto(request.step()));
  MIXFEED_ASSIGN_OR_RETURN(const Plan plan, feed->maker->MakePlan(step));
  return PlanToProto(plan, *feed->dataset, core_->options().reveal_hidden_labels);
}

absl::StatusOr<v1::GetSplitResponse> InspectCalls::GetSplit(
    const v1::GetSplitRequest& request) const {
  MIXFEED_ASSIGN_OR_RETURN(const auto feed, core_->feeds()->Find(request.feed_id()));
  const Dataset& dataset = *feed->dataset;
  MIXFEED_ASSIGN_OR_RETURN(
      Split split, MakeSplit(dataset.train.labels, dataset.num_classes(), feed->spec.split));
  std::sort(split.unlabelled.begin(), split.unlabelled.end());
  v1::GetSplitResponse response;
  Fill(split.labelled, response.mutable_labelled());
  Fill(split.unlabelled, response.mutable_unlabelled());
  Fill(split.validation, response.mutable_validation());
  return response;
}

absl::StatusOr<v1::RenderContactSheetResponse> InspectCalls::RenderContactSheet(
    const v1::RenderContactSheetRequest& request) const {
  const uint32_t rows = request.rows() == 0 ? kDefaultSheetRows : request.rows();
  const uint32_t scale = request.scale() == 0 ? kDefaultSheetScale : request.scale();
  MIXFEED_RETURN_IF_ERROR(CheckRange("rows", rows, 1u, kMaxSheetRows));
  MIXFEED_RETURN_IF_ERROR(CheckRange("scale", scale, 1u, kMaxSheetScale));
  MIXFEED_ASSIGN_OR_RETURN(const auto feed, core_->feeds()->Find(request.feed_id()));
  MIXFEED_ASSIGN_OR_RETURN(const int64_t step, StepFromProto(request.step()));
  const SheetOptions options{
      .step = step, .rows = static_cast<int>(rows), .scale = static_cast<int>(scale)};
  absl::StatusOr<ContactSheet> drawn = DrawContactSheet(*feed, core_->renderer(), options);
  if (IsNotYet(drawn.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat(std::string(drawn.status().message()), "; a picture does not wait for them"));
  }
  MIXFEED_ASSIGN_OR_RETURN(ContactSheet sheet, std::move(drawn));
  v1::RenderContactSheetResponse response;
  response.set_png(std::move(sheet.png));
  response.set_width(static_cast<uint32_t>(sheet.width));
  response.set_height(static_cast<uint32_t>(sheet.height));
  return response;
}

absl::StatusOr<v1::MeasureForwardResponse> InspectCalls::MeasureForward(
    const v1::MeasureForwardRequest& request, const std::function<bool()>& stop) const {
  const uint32_t duration = request.duration_ms() == 0 ? kDefaultMeasureMs : request.duration_ms();
  MIXFEED_RETURN_IF_ERROR(CheckRange("duration_ms", duration, 1u, kMaxMeasureMs));
  MIXFEED_ASSIGN_OR_RETURN(const auto feed, core_->feeds()->Find(request.feed_id()));
  MIXFEED_RETURN_IF_ERROR(CheckGuesses(*feed));
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<std::string> names, core_->feeds()->ModelNames(*feed));
  // One model after the other, each for its part of the time: a view goes through all of them.
  double seconds_per_image = 0;
  int64_t images = std::numeric_limits<int64_t>::max();
  for (const std::string& name : names) {
    MIXFEED_ASSIGN_OR_RETURN(const std::shared_ptr<GuessModel> model, core_->models()->Find(name));
    MIXFEED_ASSIGN_OR_RETURN(
        const ForwardRate rate,
        MeasureForwardRate(*feed, model.get(), duration / static_cast<int64_t>(names.size()),
                           stop));
    seconds_per_image += 1 / rate.images_per_second;
    images = std::min(images, rate.images);
  }
  v1::MeasureForwardResponse response;
  response.set_images_per_second(1 / seconds_per_image);
  response.set_images(static_cast<uint64_t>(images));
  return response;
}

absl::StatusOr<v1::GetGuessStatsResponse> InspectCalls::GetGuessStats(
    const v1::GetGuessStatsRequest& request, const std::function<bool()>& stop) const {
  MIXFEED_RETURN_IF_ERROR(CheckRange("validate", request.validate(), 0u, kMaxValidate));
  MIXFEED_ASSIGN_OR_RETURN(const auto feed, core_->feeds()->Find(request.feed_id()));
  MIXFEED_RETURN_IF_ERROR(CheckGuesses(*feed));
  if (request.validate() > 0) {
    MIXFEED_RETURN_IF_ERROR(feed->validator->Validate(request.validate(), stop));
  }
  return ReportGuesses(*feed);
}

}  // namespace mixfeed
