#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/base/status_macros.h"
#include "client/cli/command.h"
#include "client/cli/flags.h"
#include "client/cli/json.h"

namespace mixfeed {
namespace {

std::string PoolText(v1::Pool pool) {
  const auto* value = v1::Pool_descriptor()->FindValueByNumber(pool);
  return value == nullptr ? absl::StrCat(pool) : EnumText(*value);
}

void Print(const v1::GetPlanResponse& plan, std::ostream& out) {
  out << "step " << plan.step() << "\n\n";
  TextTable table({"row", "sample", "pool", "label", "view", "crop", "flip", "partner", "lambda"});
  for (int i = 0; i < plan.rows_size(); ++i) {
    const v1::PlanRow& row = plan.rows(i);
    table.Add({absl::StrCat(i), absl::StrCat(row.sample()), PoolText(row.pool()),
               row.has_label() ? absl::StrCat(row.label()) : "-", absl::StrCat(row.view()),
               absl::StrCat(row.crop_y(), ",", row.crop_x()), row.flip() ? "yes" : "no",
               absl::StrCat(row.partner()), absl::StrFormat("%.6f", row.lambda())});
  }
  table.Print(out);
}

class Explain final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    app->add_option("--step", step_, "which batch")->capture_default_str();
    spec_.AddTo(app);
    format_.AddTo(app, FormatFlags::kUnused);
    server_.AddTo(app);
  }

  absl::Status Run(Console* console) override {
    MIXFEED_ASSIGN_OR_RETURN(const FeedConnection opened, OpenFeed(server_, spec_, console));
    MIXFEED_ASSIGN_OR_RETURN(const auto plan, opened.feed->GetPlan(step_));
    if (server_.json) {
      console->out << Dump(ToJson(plan)) << '\n';
    } else {
      Print(plan, console->out);
    }
    return absl::OkStatus();
  }

 private:
  ServerFlags server_;
  SpecFlags spec_;
  FormatFlags format_;
  uint64_t step_ = 0;
};

}  // namespace

std::unique_ptr<Command> MakeExplain() { return std::make_unique<Explain>(); }

}  // namespace mixfeed
