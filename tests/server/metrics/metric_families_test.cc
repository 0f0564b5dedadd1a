#include "server/metrics/metric_families.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <string>
#include <vector>

namespace mixfeed {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

template <class Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

std::string Text(const std::string& info, const std::vector<std::string>& guesses = {}) {
  std::vector<v1::GetGuessStatsResponse> stats;
  for (const std::string& feed : guesses) stats.push_back(Parse<v1::GetGuessStatsResponse>(feed));
  return prometheus::TextSerializer().Serialize(
      MakeMetricFamilies(Parse<v1::GetServerInfoResponse>(info), stats));
}

TEST(MetricFamiliesTest, TellWhatTheServerDoes) {
  const std::string text = Text(R"pb(
    version: "1.2"
    device: "cpu (2 threads)"
    open_feeds: 3
    consumers: 4
    batches_made: 5000
    waiting_batches: 6
    live_slots: 7
    live_slot_bytes: 8000
    max_slot_bytes: 9000
    live_frames: 10
    models { name: "a" version: 11 update: 22 }
    models { name: "b" })pb");
  for (const char* line :
       {"mixfeed_info{version=\"1.2\",device=\"cpu (2 threads)\"} 1", "mixfeed_open_feeds 3",
        "mixfeed_consumers 4", "# TYPE mixfeed_batches_made_total counter",
        "mixfeed_batches_made_total 5000", "mixfeed_waiting_batches 6", "mixfeed_live_slots 7",
        "mixfeed_live_slot_bytes 8000", "mixfeed_max_slot_bytes 9000", "mixfeed_live_frames 10",
        "mixfeed_model_version{model=\"a\"} 11", "mixfeed_model_update{model=\"a\"} 22",
        "mixfeed_model_version{model=\"b\"} 0"}) {
    EXPECT_THAT(text, HasSubstr(std::string(line) + "\n"));
  }
}

TEST(MetricFamiliesTest, TellOfTheNewestVersionOfEachModel) {
  const std::string text =
      Text("", {R"pb(
                  feed_id: "f"
                  run: "r"
                  class_names: "cat"
                  class_names: "dog"
                  warning: "few classes"
                  spans { model: "a" version: 1 confidence: 0.9 images: 8 }
                  spans {
                    model: "a"
                    version: 3
                    update: 30
                    steps: 4
                    images: 80
                    confidence: 0.75
                    sharpened_confidence: 0.875
                    confidence_histogram: 10
                    confidence_histogram: 70
                    entropy: 0.25
                    agreement: 0.5
                    class_mean: 0.125
                    class_mean: 0.875
                    effective_classes: 1.5
                    prior_distance: 0.375
                    accuracy: 0.625
                    age: 2.5
                    max_age: 5
                    validation { accuracy: 0.6875 calibration_error: 0.0625 drift: 0.03125 }
                  }
                  spans { model: "b" version: 9 images: 0 confidence_histogram: 0 })pb"});
  const std::string of_a = "{feed=\"f\",run=\"r\",model=\"a\"";
  for (const std::string& line : {"version" + of_a + "} 3",
                                  "update" + of_a + "} 30",
                                  "steps" + of_a + "} 4",
                                  "sharpened_confidence" + of_a + "} 0.875",
                                  "entropy_nats" + of_a + "} 0.25",
                                  "agreement_ratio" + of_a + "} 0.5",
                                  "effective_classes" + of_a + "} 1.5",
                                  "prior_distance" + of_a + "} 0.375",
                                  "accuracy_ratio" + of_a + "} 0.625",
                                  "age_updates" + of_a + "} 2.5",
                                  "max_age_updates" + of_a + "} 5",
                                  "validation_accuracy_ratio" + of_a + "} 0.6875",
                                  "calibration_error" + of_a + "} 0.0625",
                                  "drift" + of_a + "} 0.03125",
                                  "confidence" + of_a + "} 0.75",
                                  "confidence_ratio" + of_a + ",le=\"0.5\"} 0.125",
                                  "confidence_ratio" + of_a + ",le=\"1\"} 1",
                                  "class_ratio" + of_a + ",class=\"cat\"} 0.125",
                                  "class_ratio" + of_a + ",class=\"dog\"} 0.875",
                                  std::string("version{feed=\"f\",run=\"r\",model=\"b\"} 9"),
                                  std::string("warning{feed=\"f\",run=\"r\"} 1")}) {
    EXPECT_THAT(text, HasSubstr("\nmixfeed_guess_" + line + "\n"));
  }
  EXPECT_THAT(text, Not(HasSubstr("version" + of_a + "} 1\n")));
  EXPECT_THAT(text, Not(HasSubstr("model=\"b\",le=")));
}

TEST(MetricFamiliesTest, LeaveOutWhatASpanDoesNotHave) {
  const std::string text = Text("", {R"pb(feed_id: "f"
                                          spans { model: "a" version: 1 images: 8 })pb"});
  for (const char* name : {"agreement_ratio{", "accuracy_ratio{", "calibration_error{", "drift{"}) {
    EXPECT_THAT(text, Not(HasSubstr(std::string("mixfeed_guess_") + name)));
  }
  EXPECT_THAT(text, HasSubstr("mixfeed_guess_warning{feed=\"f\",run=\"\"} 0\n"));
}

TEST(MetricFamiliesTest, AFeedWithoutGuessesHasNoNumbers) {
  const std::string text = Text("", {R"pb(feed_id: "f")pb"});
  EXPECT_THAT(text, Not(HasSubstr("mixfeed_guess_version{")));
  EXPECT_THAT(text, HasSubstr("mixfeed_open_feeds 0\n"));
}

}  // namespace
}  // namespace mixfeed
