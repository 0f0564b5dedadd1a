#include "client/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace mixfeed {
namespace {

// Of fastai v1's fit_one_cycle (OneCycleScheduler): div_factor 25, pct_start 0.3, final_div 25e4.
constexpr double kOneCycleStart = 1.0 / 25;
constexpr double kOneCycleRise = 0.3;
constexpr double kOneCycleEnd = 1.0 / 25e4;

// From `begin` to `end` along half a cosine, for x from 0 to 1.
double HalfCosine(double begin, double end, double x) {
  return end + (begin - end) / 2 * (1 + std::cos(std::numbers::pi * x));
}

double OneCycle(double x) {
  if (x < kOneCycleRise) return HalfCosine(kOneCycleStart, 1, x / kOneCycleRise);
  return HalfCosine(1, kOneCycleEnd, (x - kOneCycleRise) / (1 - kOneCycleRise));
}

constexpr Schedule kSchedules[] = {
    {"constant", "the rate itself, as MixMatch's official code", [](double) { return 1.0; }, false},
    {"cosine", "rate (1 + cos(pi t/T)) / 2, down to 0 (Loshchilov and Hutter 2017)",
     [](double x) { return HalfCosine(1, 0, x); }, true},
    {"cosine-7-16", "rate cos(7 pi t / (16 T)), down to 0.195 of it, as FixMatch, TorchSSL and USB",
     [](double x) { return std::cos(7 * std::numbers::pi * x / 16); }, true},
    {"one-cycle", "up from rate/25 over the first 0.3, then down to rate/250000, as fastai v1",
     &OneCycle, true},
};

}  // namespace

std::span<const Schedule> Schedules() { return kSchedules; }

const Schedule* FindSchedule(const std::string& name) {
  for (const Schedule& schedule : kSchedules) {
    if (name == schedule.name) return &schedule;
  }
  return nullptr;
}

double RateAt(const Schedule& schedule, double base, uint64_t update, uint64_t total) {
  const double progress =
      static_cast<double>(update) / static_cast<double>(std::max<uint64_t>(total, 1));
  return base * schedule.factor(std::min(progress, 1.0));
}

}  // namespace mixfeed
