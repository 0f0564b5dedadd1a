#ifndef MIXFEED_SERVER_METRICS_METRIC_FAMILIES_H_
#define MIXFEED_SERVER_METRICS_METRIC_FAMILIES_H_

#include <prometheus/metric_family.h>

#include <span>
#include <vector>

#include "mixfeed/v1/inspect.pb.h"

namespace mixfeed {

// What Prometheus is told of a server: `info`, and for each of the feeds that `guesses` are of and
// each of its models what the newest version's guesses look like (GuessSpan), under the labels
// feed, run and model. The version is a value, not a label: Prometheus keeps every combination of
// labels, and a trainer pushes thousands of versions. Of a model that has guessed nothing yet there
// is nothing; what a span does not have is left out. Names begin with mixfeed_.
std::vector<prometheus::MetricFamily> MakeMetricFamilies(
    const v1::GetServerInfoResponse& info, std::span<const v1::GetGuessStatsResponse> guesses);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_METRICS_METRIC_FAMILIES_H_
