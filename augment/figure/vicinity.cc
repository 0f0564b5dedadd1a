#include "augment/figure/vicinity.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "augment/base/det_math.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/plan/distributions.h"

namespace mixfeed {
namespace {

constexpr const char* kRules[] = {"none", "mixup", "same-class", "k-nearest", "label-preserving"};
constexpr int kMaxDraws = 10'000'000;

double SquaredDistance(const ChartPoint& a, const ChartPoint& b) {
  const double x = a.x - b.x;
  const double y = a.y - b.y;
  return x * x + y * y;
}

// The k points nearest to points[place], itself left out, ties by place.
std::vector<int> NearestTo(std::span<const ToyPoint> points, int place, int k) {
  std::vector<std::pair<double, int>> others;
  const ChartPoint& at = points[static_cast<size_t>(place)].at;
  for (int i = 0; i < static_cast<int>(points.size()); ++i) {
    if (i != place) others.emplace_back(SquaredDistance(at, points[static_cast<size_t>(i)].at), i);
  }
  std::nth_element(others.begin(), others.begin() + (k - 1), others.end());
  std::vector<int> nearest;
  for (int i = 0; i < k; ++i) nearest.push_back(others[static_cast<size_t>(i)].second);
  // In an order that does not depend on how the library selects.
  std::sort(nearest.begin(), nearest.end());
  return nearest;
}

// Draws partners. Made for one set and one rule.
class Partners {
 public:
  Partners(std::span<const ToyPoint> points, const VicinityOptions& options)
      : points_(points), options_(options) {
    for (int i = 0; i < options.labelled; ++i) {
      of_class_[static_cast<size_t>(points[static_cast<size_t>(i)].label)].push_back(i);
    }
  }

  int Draw(int base, PhiloxStream* stream) {
    const auto among = [stream](size_t count) {
      return UniformInt(static_cast<uint32_t>(count), stream);
    };
    switch (options_.rule) {
      case VicinityRule::kNone:
        return base;
      case VicinityRule::kMixup:
        return static_cast<int>(among(static_cast<size_t>(options_.labelled)));
      case VicinityRule::kSameClass: {
        const auto label = static_cast<size_t>(points_[static_cast<size_t>(base)].label);
        return of_class_[label][among(of_class_[label].size())];
      }
      case VicinityRule::kNearest: {
        const std::vector<int>& nearest = NearestOf(base);
        return nearest[among(nearest.size())];
      }
      case VicinityRule::kLabelPreserving:
        return static_cast<int>(among(points_.size()));
    }
    return base;
  }

 private:
  const std::vector<int>& NearestOf(int base) {
    std::vector<int>& nearest = nearest_[base];
    if (nearest.empty()) {
      nearest = NearestTo(points_.first(static_cast<size_t>(options_.labelled)), base,
                          options_.neighbours);
    }
    return nearest;
  }

  const std::span<const ToyPoint> points_;
  const VicinityOptions& options_;
  std::vector<int> of_class_[2];
  std::map<int, std::vector<int>> nearest_;
};

double AlphaOfPair(const VicinityOptions& options, const ChartPoint& a, const ChartPoint& b) {
  if (options.distance_scale == 0) return options.alpha;
  const double distance = std::sqrt(SquaredDistance(a, b));
  return std::max(kMinAlpha, options.alpha * DetExp(-distance / options.distance_scale));
}

double DrawLambda(const VicinityOptions& options, double alpha, PhiloxStream stream) {
  const bool skewed = options.rule == VicinityRule::kLabelPreserving;
  double lambda = 0;
  BetaDistribution(skewed ? alpha + 1 : alpha, alpha).Draw({&stream, 1}, {&lambda, 1});
  return lambda;
}

SoftPoint Mix(const VicinityOptions& options, const ToyPoint& base, const ToyPoint& partner,
              double lambda) {
  const double rest = 1 - lambda;
  const bool keeps_label = options.rule == VicinityRule::kLabelPreserving;
  return {{lambda * base.at.x + rest * partner.at.x, lambda * base.at.y + rest * partner.at.y},
          keeps_label ? base.label : lambda * base.label + rest * partner.label};
}

absl::Status CheckOptions(size_t points, const VicinityOptions& options) {
  MIXFEED_RETURN_IF_ERROR(CheckRange("alpha", options.alpha, kMinAlpha, kMaxAlpha));
  MIXFEED_RETURN_IF_ERROR(CheckRange("distance_scale", options.distance_scale, 0.0,
                                     std::numeric_limits<double>::max()));
  MIXFEED_RETURN_IF_ERROR(CheckRange("labelled", options.labelled, 1, static_cast<int>(points)));
  MIXFEED_RETURN_IF_ERROR(CheckRange("draws", options.draws, 1, kMaxDraws));
  if (options.point.has_value()) {
    MIXFEED_RETURN_IF_ERROR(CheckRange("point", *options.point, 0, options.labelled - 1));
  }
  if (options.rule != VicinityRule::kNearest) return absl::OkStatus();
  return CheckRange("neighbours", options.neighbours, 1, options.labelled - 1);
}

}  // namespace

std::span<const char* const> NamesOf(VicinityRule) { return kRules; }

absl::StatusOr<std::vector<SoftPoint>> DrawVicinity(std::span<const ToyPoint> points,
                                                    const VicinityOptions& options) {
  MIXFEED_RETURN_IF_ERROR(CheckEnum("rule", options.rule));
  MIXFEED_RETURN_IF_ERROR(CheckOptions(points.size(), options));
  Partners partners(points, options);
  std::vector<SoftPoint> drawn;
  for (int i = 0; i < options.draws; ++i) {
    const auto step = static_cast<uint64_t>(i);
    const int base = options.point.value_or(i % options.labelled);
    PhiloxStream stream(options.seed, Purpose::kVicinityPartner, step);
    const ToyPoint& partner = points[static_cast<size_t>(partners.Draw(base, &stream))];
    const ToyPoint& point = points[static_cast<size_t>(base)];
    const double lambda = DrawLambda(options, AlphaOfPair(options, point.at, partner.at),
                                     {options.seed, Purpose::kVicinityLambda, step});
    drawn.push_back(Mix(options, point, partner, lambda));
  }
  return drawn;
}

}  // namespace mixfeed
