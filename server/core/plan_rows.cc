#include "server/core/plan_rows.h"

#include "augment/batch/batch.h"
#include "server/core/spec_convert.h"

namespace mixfeed {
namespace {

void FillBox(const Box& box, v1::Box* proto) {
  proto->set_y0(static_cast<uint32_t>(box.y0));
  proto->set_x0(static_cast<uint32_t>(box.x0));
  proto->set_y1(static_cast<uint32_t>(box.y1));
  proto->set_x1(static_cast<uint32_t>(box.x1));
}

void FillView(const Plan& plan, const ViewPlan& view, v1::PlanRow* row) {
  row->set_sample(static_cast<uint32_t>(view.sample));
  row->set_pool(PoolToProto(view.pool));
  row->set_view(view.view);
  row->set_crop_y(static_cast<uint32_t>(view.crop_y));
  row->set_crop_x(static_cast<uint32_t>(view.crop_x));
  row->set_flip(view.flip != 0);
  if (view.effects < 0) return;
  const ViewEffects& effects = plan.effects[static_cast<size_t>(view.effects)];
  if (!effects.hole.empty()) FillBox(effects.hole, row->mutable_hole());
  if (effects.resampled) row->mutable_map()->Add(effects.map.begin(), effects.map.end());
  if (effects.toned) {
    row->set_contrast(effects.contrast);
    row->set_brightness(effects.brightness);
  }
}

void FillMix(const Plan& plan, size_t r, v1::PlanRow* row) {
  row->set_partner(static_cast<uint32_t>(plan.partner[r]));
  row->set_lambda(plan.lambda[r]);
  if (!plan.box.empty() && !plan.box[r].empty()) FillBox(plan.box[r], row->mutable_box());
  const auto sent = static_cast<size_t>(plan.size());
  for (size_t at = r; at < plan.more_partners.size(); at += sent) {
    row->add_more_partner(static_cast<uint32_t>(plan.more_partners[at]));
    row->add_more_weight(plan.more_weights[at]);
  }
}

}  // namespace

int LabelToShow(const Dataset& dataset, const ViewPlan& view, bool reveal) {
  if (view.pool == PoolId::kUnlabelled && !reveal) return kNoLabel;
  const Partition partition = view.pool == PoolId::kTest ? Partition::kTest : Partition::kTrain;
  return dataset.partition(partition).labels[static_cast<size_t>(view.sample)];
}

v1::GetPlanResponse PlanToProto(const Plan& plan, const Dataset& dataset, bool reveal) {
  v1::GetPlanResponse response;
  response.set_step(static_cast<uint64_t>(plan.step));
  response.set_layer(static_cast<uint32_t>(plan.layer));
  response.set_unlabelled_weight(plan.unlabelled_weight);
  for (const int32_t row : RowsOfShare(plan, Share{})) {
    response.add_order(static_cast<uint32_t>(row));
  }
  for (size_t r = 0; r < plan.rows.size(); ++r) {
    v1::PlanRow* const row = response.add_rows();
    FillView(plan, plan.rows[r], row);
    if (const int label = LabelToShow(dataset, plan.rows[r], reveal); label != kNoLabel) {
      row->set_label(static_cast<uint32_t>(label));
    }
    if (r < static_cast<size_t>(plan.size())) {
      FillMix(plan, r, row);
    } else {
      row->set_partner(static_cast<uint32_t>(r));
      row->set_lambda(1);
    }
  }
  return response;
}

}  // namespace mixfeed
