#ifndef MIXFEED_CLIENT_TRAIN_SCHEDULE_H_
#define MIXFEED_CLIENT_TRAIN_SCHEDULE_H_

#include <cstdint>
#include <span>
#include <string>

namespace mixfeed {

// How the learning rate moves over a training of T updates; update t = 0..T-1 takes RateAt(t).
struct Schedule {
  const char* name;                   // as --schedule takes it
  const char* summary;                // the formula, for help
  double (*factor)(double progress);  // of the base rate, at t / T in 0..1
  bool depends_on_length;             // else T does not matter
};

// How to add one: a line in the table in schedule.cc.
std::span<const Schedule> Schedules();

// Null when there is none of that name.
const Schedule* FindSchedule(const std::string& name);

// `total` at least 1.
double RateAt(const Schedule& schedule, double base, uint64_t update, uint64_t total);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_TRAIN_SCHEDULE_H_
