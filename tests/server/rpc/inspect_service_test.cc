#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/augment/guess/archives.h"
#include "tests/server/rpc/stub_kit.h"
#include "tests/testing/cifar_files.h"
#include "tests/testing/eventually.h"
#include "tests/testing/test_server.h"

namespace mixfeed {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the kit of these tests
using grpc::StatusCode;
using ::testing::HasSubstr;
using Inspect = v1::InspectService::Stub;

constexpr int kClasses = 10;

v1::GetPlanResponse Plan(const Stubs& stubs, const std::string& id, uint64_t step,
                         grpc::Status* status = nullptr) {
  v1::GetPlanRequest request;
  request.set_feed_id(id);
  request.set_step(step);
  return Call(stubs.inspect.get(), &Inspect::GetPlan, request, status);
}

v1::RenderContactSheetResponse Sheet(const Stubs& stubs, const std::string& id, uint32_t rows = 0,
                                     uint32_t scale = 0, grpc::Status* status = nullptr,
                                     uint64_t step = 0) {
  v1::RenderContactSheetRequest request;
  request.set_feed_id(id);
  request.set_step(step);
  request.set_rows(rows);
  request.set_scale(scale);
  return Call(stubs.inspect.get(), &Inspect::RenderContactSheet, request, status);
}

v1::MeasureForwardResponse Measure(const Stubs& stubs, const std::string& id, uint32_t duration_ms,
                                   grpc::Status* status = nullptr) {
  v1::MeasureForwardRequest request;
  request.set_feed_id(id);
  request.set_duration_ms(duration_ms);
  return Call(stubs.inspect.get(), &Inspect::MeasureForward, request, status);
}

class InspectServiceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = new TestServer([](ServerOptions* options) {
      options->max_credits = 17;
      options->max_prefetch = 18;
    });
    Register(Stubs(server_->address()), ModelHeader("good"), GoodArchive(kClasses));
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }

  std::string OpenFeed(const std::string& preset, const std::string& run = "r") {
    return Open(stubs_, TinySpec(preset), run).feed_id();
  }

  static TestServer* server_;
  const Stubs stubs_{server_->address()};
};
TestServer* InspectServiceTest::server_ = nullptr;

TEST_F(InspectServiceTest, ServerInfoTellsLimitsAndContents) {
  const v1::GetServerInfoResponse info = Info(stubs_);
  EXPECT_THAT(info.version(), ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_THAT(info.device(), ::testing::StartsWith("cpu ("));
  EXPECT_EQ(info.datasets_size(), 1);
  EXPECT_EQ(info.datasets(0).class_names_size(), kClasses);
  EXPECT_EQ(info.datasets(0).image().width(), 32u);
  ASSERT_EQ(info.models_size(), 1);
  EXPECT_EQ(info.models(0).name(), "good");
  EXPECT_EQ(info.max_credits(), 17u);
  EXPECT_EQ(info.max_prefetch(), 18u);
  EXPECT_EQ(info.max_slot_bytes(), static_cast<uint64_t>(ServerOptions().max_slot_bytes));
}

// What a guess of the server's says of where it was made.
TEST_F(InspectServiceTest, ServerInfoTellsTheEnvironmentOfGuesses) {
  const v1::Batch batch = GetBatch(stubs_, OpenFeed("mixmatch"), 0);
  EXPECT_EQ(Info(stubs_).environment(), batch.header().guess().environment());
  EXPECT_THAT(Info(stubs_).environment(), HasSubstr("libtorch"));
}

TEST_F(InspectServiceTest, ServerInfoCountsWhatIsAlive) {
  const std::string id = OpenFeed("mixup");
  const uint64_t made = Info(stubs_).batches_made();
  StreamCall stream(stubs_, StreamOf(id, 2));
  v1::Batch batch;
  ASSERT_TRUE(stream.Read(&batch));
  const v1::GetServerInfoResponse info = Info(stubs_);
  EXPECT_EQ(info.consumers(), 1u);
  EXPECT_GE(info.open_feeds(), 1u);
  EXPECT_GT(info.batches_made(), made);
  stream.Cancel();
  EXPECT_TRUE(Eventually(
      [&] { return Info(stubs_).live_slots() == 0 && Info(stubs_).live_frames() == 0; }));
  EXPECT_EQ(Info(stubs_).live_slot_bytes(), 0u);
}

TEST_F(InspectServiceTest, FeedsAreListedWithTheirConsumers) {
  const std::string id = OpenFeed("mixup", "listed");
  StreamCall stream(stubs_, StreamOf(id, 2));
  v1::Batch batch;
  ASSERT_TRUE(stream.Read(&batch));
  const auto feeds = Call(stubs_.inspect.get(), &Inspect::ListFeeds, v1::ListFeedsRequest());
  const auto found = std::find_if(feeds.feeds().begin(), feeds.feeds().end(),
                                  [&](const v1::FeedInfo& feed) { return feed.feed_id() == id; });
  ASSERT_NE(found, feeds.feeds().end());
  EXPECT_EQ(found->run(), "listed");
  EXPECT_EQ(found->spec().recipe().preset(), "mixup");
  EXPECT_EQ(found->consumers(), 1u);
  EXPECT_GE(found->served(), 1u);
  EXPECT_EQ(found->served_through(), found->served());
  stream.Cancel();
}

TEST_F(InspectServiceTest, ListedFeedsAreWithoutTheirIndexLists) {
  v1::FeedSpec spec = TinySpec("mixmatch");
  spec.mutable_split()->set_rule(v1::Split::LISTS);
  for (uint32_t i = 0; i < 300; ++i) {
    (i < 100 ? spec.mutable_split()->mutable_labelled_list()
             : spec.mutable_split()->mutable_unlabelled_list())
        ->Add(i);
  }
  spec.mutable_split()->add_validation_list(300);
  const std::string id = Open(stubs_, spec).feed_id();
  const auto feeds = Call(stubs_.inspect.get(), &Inspect::ListFeeds, v1::ListFeedsRequest());
  for (const v1::FeedInfo& feed : feeds.feeds()) {
    const v1::Split& split = feed.spec().split();
    EXPECT_EQ(split.rule() == v1::Split::LISTS, feed.feed_id() == id);
    EXPECT_EQ(split.labelled_list_size(), 0);
    EXPECT_EQ(split.unlabelled_list_size(), 0);
    EXPECT_EQ(split.validation_list_size(), 0);
  }
}

TEST_F(InspectServiceTest, PlanIsThatOfTheBatch) {
  const std::string id = OpenFeed("mixmatch");
  const v1::GetPlanResponse plan = Plan(stubs_, id, 4);
  const v1::Batch batch = GetBatch(stubs_, id, 4);
  EXPECT_EQ(plan.step(), 4u);
  ASSERT_EQ(plan.rows_size(), 24);
  for (int r = 0; r < plan.rows_size(); ++r) {
    EXPECT_EQ(plan.rows(r).sample(), batch.header().sample(r));
    EXPECT_EQ(plan.rows(r).pool(), batch.header().pool(r));
    EXPECT_EQ(plan.rows(r).view(), batch.header().view(r));
    EXPECT_EQ(plan.rows(r).partner(), batch.header().partner(r));
    EXPECT_EQ(plan.rows(r).lambda(), batch.header().lambda(r));
    EXPECT_LE(plan.rows(r).crop_y(), 8u);
    EXPECT_LE(plan.rows(r).crop_x(), 8u);
  }
}

TEST_F(InspectServiceTest, PlanShowsLabelsOfLabelledRowsOnly) {
  const v1::GetPlanResponse plan = Plan(stubs_, OpenFeed("mixmatch"), 0);
  for (const v1::PlanRow& row : plan.rows()) {
    EXPECT_EQ(row.has_label(), row.pool() == v1::LABELLED);
    // The tiny dataset's labels are 0, 1, ..., 9, 0, ... in turn.
    if (row.has_label()) {
      EXPECT_EQ(row.label(), row.sample() % kClasses);
    }
  }
}

TEST_F(InspectServiceTest, SplitTellsNothingByTheOrderOfTheUnlabelled) {
  v1::FeedSpec spec = TinySpec("mixmatch");
  spec.mutable_split()->set_validation(30);
  v1::GetSplitRequest request;
  request.set_feed_id(Open(stubs_, spec).feed_id());
  const auto split = Call(stubs_.inspect.get(), &Inspect::GetSplit, request);
  EXPECT_EQ(split.labelled_size(), 50);
  EXPECT_EQ(split.validation_size(), 30);
  EXPECT_EQ(split.unlabelled_size(), 420);
  EXPECT_TRUE(std::is_sorted(split.unlabelled().begin(), split.unlabelled().end()));
  std::set<uint32_t> all(split.labelled().begin(), split.labelled().end());
  all.insert(split.unlabelled().begin(), split.unlabelled().end());
  all.insert(split.validation().begin(), split.validation().end());
  EXPECT_EQ(all.size(), 500u);
}

cv::Mat Decode(const v1::RenderContactSheetResponse& sheet) {
  const std::vector<uchar> bytes(sheet.png().begin(), sheet.png().end());
  return cv::imdecode(bytes, cv::IMREAD_COLOR);
}

TEST_F(InspectServiceTest, ContactSheetIsAPngOfTheSizeItSays) {
  for (const char* preset : {"mixmatch", "mixup", "supervised", "eval"}) {
    const v1::RenderContactSheetResponse sheet = Sheet(stubs_, OpenFeed(preset));
    const cv::Mat image = Decode(sheet);
    EXPECT_EQ(image.cols, static_cast<int>(sheet.width())) << preset;
    EXPECT_EQ(image.rows, static_cast<int>(sheet.height())) << preset;
    EXPECT_GT(image.rows, 100) << preset;
  }
}

TEST_F(InspectServiceTest, ContactSheetGrowsWithRowsAndScale) {
  const std::string id = OpenFeed("mixup");
  const auto one = Sheet(stubs_, id, 1, 1);
  EXPECT_GT(Sheet(stubs_, id, 8, 1).height(), one.height());
  EXPECT_GT(Sheet(stubs_, id, 1, 8).height(), one.height());
  // A batch of 8 has no more rows than 8.
  EXPECT_EQ(Sheet(stubs_, id, 256, 2).png(), Sheet(stubs_, id, 8, 2).png());
}

// An ordered feed sends the dataset's images themselves, so that they can be found in the sheet.
TEST_F(InspectServiceTest, ContactSheetShowsTheBatchsPixels) {
  constexpr int kScale = 4;
  const cv::Mat sheet = Decode(Sheet(stubs_, OpenFeed("eval"), 1, kScale));
  const auto& pixels = server_->dataset().test.pixels;
  constexpr int kSide = 32 * kScale;
  cv::Mat image(kSide, kSide, CV_8UC3);
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      const auto at = static_cast<size_t>(y / kScale * 32 + x / kScale);
      image.at<cv::Vec3b>(y, x) = {pixels[at + 2048], pixels[at + 1024], pixels[at]};
    }
  }
  int found = 0;
  for (int y = 0; y + kSide <= sheet.rows; ++y) {
    for (int x = 0; x + kSide <= sheet.cols; ++x) {
      const cv::Mat part = sheet(cv::Rect(x, y, kSide, kSide));
      if (part.at<cv::Vec3b>(0, 0) != image.at<cv::Vec3b>(0, 0)) continue;
      found += cv::norm(part, image, cv::NORM_INF) == 0 ? 1 : 0;
    }
  }
  EXPECT_EQ(found, 1);
}

TEST_F(InspectServiceTest, MeasureForwardCountsWholePasses) {
  const v1::MeasureForwardResponse rate = Measure(stubs_, OpenFeed("mixmatch"), 20);
  EXPECT_GT(rate.images(), 0u);
  EXPECT_EQ(rate.images() % 8, 0u);
  EXPECT_GT(rate.images_per_second(), 0);
}

TEST_F(InspectServiceTest, MeasureForwardStopsWithItsCall) {
  v1::MeasureForwardRequest request;
  request.set_feed_id(OpenFeed("mixmatch"));
  request.set_duration_ms(60'000);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
  v1::MeasureForwardResponse response;
  EXPECT_EQ(stubs_.inspect->MeasureForward(&context, request, &response).error_code(),
            StatusCode::DEADLINE_EXCEEDED);
  Measure(stubs_, request.feed_id(), 1);  // the place of the first one is free again
}

TEST_F(InspectServiceTest, RecipesAreListedWholeWithTheirSources) {
  const auto list = [this](const std::string& name, grpc::Status* status = nullptr) {
    v1::ListRecipesRequest request;
    request.set_name(name);
    return Call(stubs_.inspect.get(), &v1::InspectService::Stub::ListRecipes, request, status);
  };
  EXPECT_GT(list("").recipes_size(), 30);
  const v1::ListRecipesResponse one = list("cutmix");
  ASSERT_EQ(one.recipes_size(), 1);
  const v1::RecipeInfo& cutmix = one.recipes(0);
  EXPECT_EQ(cutmix.name(), "cutmix");
  EXPECT_EQ(cutmix.recipe().mix().cutmix().probability(), 1);
  EXPECT_EQ(cutmix.recipe().mix().probability(), 0.5);
  EXPECT_EQ(cutmix.split().rule(), v1::Split::ALL);
  const auto field = std::find_if(
      cutmix.fields().begin(), cutmix.fields().end(),
      [](const v1::RecipeFieldInfo& info) { return info.path() == "recipe.mix.cutmix.alpha"; });
  ASSERT_NE(field, cutmix.fields().end());
  EXPECT_EQ(field->value(), "1");
  EXPECT_EQ(field->allowed(), "0.01..101");
  EXPECT_TRUE(field->read());
  grpc::Status status;
  list("cutmax", &status);
  ExpectStatus(status, StatusCode::NOT_FOUND, "recipe is \"cutmax\"; known: cutmix, ");
}

TEST_F(InspectServiceTest, RequestsAreRefusedWithTheField) {
  grpc::Status status;
  const std::string eval = OpenFeed("eval");
  Plan(stubs_, "nope", 0, &status);
  ExpectStatus(status, StatusCode::NOT_FOUND, "feed_id is \"nope\"");
  Plan(stubs_, eval, 7, &status);
  ExpectStatus(status, StatusCode::OUT_OF_RANGE, "step");
  Plan(stubs_, eval, ~uint64_t{0}, &status);
  ExpectStatus(status, StatusCode::OUT_OF_RANGE, "step is 18446744073709551615");
  Sheet(stubs_, "nope", 0, 0, &status);
  ExpectStatus(status, StatusCode::NOT_FOUND);
  Sheet(stubs_, eval, 257, 0, &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "rows is 257; allowed: 1..256");
  Sheet(stubs_, eval, 1, 9, &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "scale is 9; allowed: 1..8");
  Sheet(stubs_, eval, 1, 1, &status, 7);
  ExpectStatus(status, StatusCode::OUT_OF_RANGE);
  Measure(stubs_, "nope", 1, &status);
  ExpectStatus(status, StatusCode::NOT_FOUND);
  Measure(stubs_, eval, 1, &status);
  ExpectStatus(status, StatusCode::FAILED_PRECONDITION, "does not guess");
  Measure(stubs_, OpenFeed("mixmatch"), 60'001, &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "duration_ms is 60001");
  v1::GetSplitRequest split;
  split.set_feed_id("nope");
  Call(stubs_.inspect.get(), &Inspect::GetSplit, split, &status);
  ExpectStatus(status, StatusCode::NOT_FOUND);
}

TEST(MeasureForwardTest, EndsWithWhatTheModelSays) {
  TestServer server;
  const Stubs stubs(server.address());
  Register(stubs, ModelHeader("small"), ThrowsBeyondArchive(kClasses, 6));
  grpc::Status status;
  Measure(stubs, Open(stubs, TinySpec("mixmatch")).feed_id(), 60'000, &status);
  ExpectStatus(status, StatusCode::INTERNAL, "too many for me");
}

TEST(ContactSheetTest, SheetBeyond64MegapixelsIsRefused) {
  const TempDir photos;
  for (const std::string& label : {photos.File("cat"), photos.File("dog")}) {
    std::filesystem::create_directory(label);
    std::ofstream(label + "/1.ppm", std::ios::binary) << "P6 2 2 255\n" << std::string(12, 'x');
  }
  TestServer server(
      [&](ServerOptions* options) { options->data = {"photos=" + photos.path() + "?size=256"}; });
  const Stubs stubs(server.address());
  v1::FeedSpec spec = TinySpec("supervised", 256);
  spec.mutable_recipe()->set_labelled_sampling(v1::TILED);
  const std::string id = Open(stubs, spec).feed_id();
  grpc::Status status;
  Sheet(stubs, id, 256, 8, &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "rows is 256 and scale 8: the sheet");
  EXPECT_GT(Decode(Sheet(stubs, id, 2, 1)).rows, 512);
}

// Two servers whose datasets differ in nothing but the labels of unlabelled images.
TEST(HiddenLabelsTest, NeverReachPlanBatchOrSheet) {
  const TempDir files;
  TestServer told;
  Dataset changed = told.dataset();
  const Stubs stubs(told.address());
  Register(stubs, ModelHeader("good"), GoodArchive(kClasses));

  v1::FeedSpec spec = TinySpec("mixmatch");
  spec.mutable_split()->set_rule(v1::Split::LISTS);
  for (uint32_t i = 0; i < 50; ++i) spec.mutable_split()->add_labelled_list(i);
  for (uint32_t i = 50; i < 500; ++i) spec.mutable_split()->add_unlabelled_list(i);
  for (size_t i = 50; i < 500; ++i) {
    changed.train.labels[i] = static_cast<int16_t>((changed.train.labels[i] + 3) % kClasses);
  }
  WriteCifar10(files.File("changed"), changed);
  TestServer other(
      [&](ServerOptions* options) { options->data = {"tiny=" + files.File("changed")}; });
  const Stubs other_stubs(other.address());
  Register(other_stubs, ModelHeader("good"), GoodArchive(kClasses));

  const std::string id = Open(stubs, spec, "r").feed_id();
  const std::string other_id = Open(other_stubs, spec, "r").feed_id();
  for (uint64_t step = 0; step < 3; ++step) {
    EXPECT_EQ(Plan(stubs, id, step).SerializeAsString(),
              Plan(other_stubs, other_id, step).SerializeAsString());
    const v1::Batch batch = GetBatch(stubs, id, step);
    const v1::Batch other_batch = GetBatch(other_stubs, other_id, step);
    EXPECT_EQ(batch.pixels(), other_batch.pixels());
    EXPECT_EQ(batch.targets(), other_batch.targets());
  }
  EXPECT_EQ(Sheet(stubs, id).png(), Sheet(other_stubs, other_id).png());
}

TEST(HiddenLabelsTest, AreInThePlanWhenTheServerWasToldToRevealThem) {
  TestServer server([](ServerOptions* options) { options->reveal_hidden_labels = true; });
  const Stubs stubs(server.address());
  const auto plan = Plan(stubs, Open(stubs, TinySpec("mixmatch")).feed_id(), 0);
  for (const v1::PlanRow& row : plan.rows()) EXPECT_EQ(row.label(), row.sample() % kClasses);
}

}  // namespace
}  // namespace mixfeed
