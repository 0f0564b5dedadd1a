#include <CLI/CLI.hpp>
#include <optional>

#include "augment/base/status_macros.h"
#include "client/cli/command.h"
#include "client/cli/files.h"
#include "client/cli/flags.h"
#include "client/look/json.h"
#include "client/look/step_to_show.h"

namespace mixfeed {
namespace {

class Peek final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    app->add_option(
           "--step", step_,
           "which batch, from 0 up; default: the first of 64 in which a row shown is visibly "
           "mixed (lambda 0.3 to 0.7), else 0; also 0 where a later step cannot be guessed "
           "yet, or would be for good in a run named with --run")
        ->check(WholeFrom(0));
    app->add_option("--out", out_, "where the PNG goes")
        ->check(CheckPngName)
        ->capture_default_str()
        ->type_name("FILE");
    app->add_option("--rows", rows_, "rows shown, spread over the batch's groups, 1..256")
        ->check(WholeInRange(1, 256))
        ->capture_default_str();
    app->add_option("--scale", scale_,
                    "pixels of the sheet a pixel of the image, 1..8; small images are magnified "
                    "until they fill their place")
        ->check(WholeInRange(1, 8))
        ->capture_default_str();
    spec_.AddTo(app);
    format_.AddTo(app, FormatFlags::kUnused);
    server_.AddTo(app);
  }

  absl::Status Run(Console* console) override {
    MIXFEED_ASSIGN_OR_RETURN(const FeedConnection opened, OpenFeed(server_, spec_, console));
    uint64_t step = step_.value_or(0);
    if (!step_) {
      MIXFEED_ASSIGN_OR_RETURN(step, StepToShow(opened.feed.get(), rows_, spec_.run().empty()));
    }
    MIXFEED_ASSIGN_OR_RETURN(const auto sheet,
                             opened.feed->RenderContactSheet(step, rows_, scale_));
    MIXFEED_RETURN_IF_ERROR(WriteFile("--out", out_, sheet.png()));
    if (server_.json) {
      Json object;
      object["step"] = step;
      object["file"] = out_;
      object["width"] = sheet.width();
      object["height"] = sheet.height();
      console->out << Dump(object) << '\n';
    } else {
      console->out << out_ << ": step " << step << ", " << sheet.width() << " x " << sheet.height()
                   << " pixels\n";
    }
    return absl::OkStatus();
  }

 private:
  ServerFlags server_;
  SpecFlags spec_;
  FormatFlags format_;
  std::optional<uint64_t> step_;
  std::string out_ = "batch.png";
  uint32_t rows_ = 24;
  uint32_t scale_ = 3;
};

}  // namespace

std::unique_ptr<Command> MakePeek() { return std::make_unique<Peek>(); }

}  // namespace mixfeed
