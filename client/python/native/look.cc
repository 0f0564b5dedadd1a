#include "client/python/native/look.h"

#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "augment/base/status_macros.h"
#include "augment/figure/sharpen_figure.h"
#include "client/look/guess_view.h"
#include "client/look/lambda.h"
#include "client/look/models.h"
#include "client/look/plan.h"
#include "client/look/recipes.h"
#include "client/look/report.h"
#include "client/look/sharpen.h"
#include "client/look/split.h"
#include "client/look/step_to_show.h"
#include "client/look/vicinity.h"
#include "client/python/native/handles.h"
#include "client/python/native/raise.h"
#include "client/python/native/spec.h"
#include "client/python/native/waiting.h"
#include "client/spec/local_spec.h"

namespace mixfeed::python {
namespace {

namespace py = pybind11;

py::object FigureCapsule(std::optional<Figure> figure) {
  if (!figure.has_value()) return py::none();
  auto held = std::make_unique<Figure>(*std::move(figure));
  py::capsule capsule(held.get(), kFigureCapsule, [](PyObject* object) {
    std::unique_ptr<Figure>(static_cast<Figure*>(PyCapsule_GetPointer(object, kFigureCapsule)))
        .reset();
  });
  (void)held.release();  // the capsule's
  return capsule;
}

py::tuple ToPython(absl::StatusOr<Look> look) {
  Look shown = ValueOrRaise(std::move(look));
  return py::make_tuple(shown.text, Dump(shown.json), FigureCapsule(std::move(shown.figure)),
                        shown.notes);
}

// What `call`, of a status and a look, gives; without the GIL.
template <typename Call>
py::tuple Ask(Call call) {
  return ToPython(CallInterruptibly(std::move(call)));
}

template <typename Call>
py::tuple Compute(const Call& call) {
  absl::StatusOr<Look> look = absl::InternalError("not made");
  {
    const py::gil_scoped_release unlocked;
    look = call();
  }
  return ToPython(std::move(look));
}

py::tuple Models(const ClientHandle& client) {
  return Ask([client = client.client]() -> absl::StatusOr<Look> {
    MIXFEED_ASSIGN_OR_RETURN(const auto models, client->ListModels());
    return LookAtModels(models);
  });
}

py::tuple Report(const ClientHandle& client, const std::string& feed_id) {
  return Ask([client = client.client, feed_id] { return LookAtRun(client.get(), feed_id); });
}

py::tuple GuessStats(const ClientHandle& client, const std::string& feed_id, uint32_t validate) {
  return Ask([client = client.client, feed_id, validate]() -> absl::StatusOr<Look> {
    MIXFEED_ASSIGN_OR_RETURN(const auto stats, client->GetGuessStats(feed_id, validate));
    return LookAtGuesses(stats);
  });
}

py::tuple Explain(const FeedHolder& feed, uint64_t step) {
  return Ask([feed = feed.feed, step]() -> absl::StatusOr<Look> {
    MIXFEED_ASSIGN_OR_RETURN(const auto plan, feed->GetPlan(step));
    return LookAtPlan(plan, feed->info());
  });
}

py::tuple SplitOf(const FeedHolder& feed) {
  return Ask([feed = feed.feed]() -> absl::StatusOr<Look> {
    MIXFEED_ASSIGN_OR_RETURN(const auto split, feed->GetSplit());
    return LookAtSplit(split);
  });
}

uint64_t ShownStep(const FeedHolder& feed, uint32_t rows, bool new_run) {
  return ValueOrRaise(CallInterruptibly(
      [feed = feed.feed, rows, new_run] { return StepToShow(feed.get(), rows, new_run); }));
}

py::bytes ContactSheet(const FeedHolder& feed, uint64_t step, uint32_t rows, uint32_t scale) {
  const auto sheet = ValueOrRaise(CallInterruptibly([feed = feed.feed, step, rows, scale] {
    return feed->RenderContactSheet(step, rows, scale);
  }));
  return py::bytes(sheet.png());
}

py::tuple LambdaLook(const std::string& recipe, const std::string& law, std::optional<double> alpha,
                     std::optional<double> beta, std::optional<double> low,
                     std::optional<double> high, int draws, uint64_t seed) {
  const LambdaWish wish{recipe, law, alpha, beta, low, high, draws, seed};
  return Compute([&wish] { return LookAtLambda(wish); });
}

py::tuple SharpeningLook(const std::vector<float>& probabilities, int classes,
                         const std::vector<double>& temperatures) {
  return Compute([&] {
    return LookAtSharpening(probabilities.empty() ? ExampleGuess(classes) : probabilities,
                            temperatures);
  });
}

py::tuple VicinityLook(const std::string& shape, double noise, std::optional<int> points,
                       const std::string& labelled, const std::vector<std::string>& rules,
                       double alpha, double distance_alpha, int neighbours,
                       std::optional<int> point, uint64_t seed) {
  VicinityWish wish{
      .shape = shape, .noise = noise, .points = points, .labelled = labelled, .rules = rules};
  wish.vicinity.alpha = alpha;
  wish.vicinity.distance_scale = distance_alpha;
  wish.vicinity.neighbours = neighbours;
  wish.vicinity.point = point;
  wish.vicinity.seed = seed;
  return Compute([&wish]() -> absl::StatusOr<Look> {
    MIXFEED_ASSIGN_OR_RETURN(const VicinityFigureOptions options, OptionsOf(wish));
    return LookAtVicinity(options, [](const char*) {});
  });
}

py::bytes SpecForLooking(const std::string& spec_bytes) {
  v1::FeedSpec spec = ParseSpec(spec_bytes);
  GuessWithNewest(&spec);
  return py::bytes(spec.SerializeAsString());
}

void BindFigures(py::module_* module) {
  module->def("look_at_lambda", LambdaLook, py::kw_only(), py::arg("recipe"), py::arg("law"),
              py::arg("alpha"), py::arg("beta"), py::arg("low"), py::arg("high"), py::arg("draws"),
              py::arg("seed"));
  module->def("look_at_sharpening", SharpeningLook, py::kw_only(), py::arg("probabilities"),
              py::arg("classes"), py::arg("temperatures"));
  module->def("look_at_vicinity", VicinityLook, py::kw_only(), py::arg("shape"), py::arg("noise"),
              py::arg("points"), py::arg("labelled"), py::arg("rules"), py::arg("alpha"),
              py::arg("distance_alpha"), py::arg("neighbours"), py::arg("point"), py::arg("seed"));
}

}  // namespace

void BindLook(py::module_* module) {
  module->def("look_at_models", Models, py::arg("client"));
  module->def("look_at_run", Report, py::arg("client"), py::arg("feed_id"));
  module->def("look_at_guesses", GuessStats, py::arg("client"), py::arg("feed_id"),
              py::arg("validate"));
  module->def("look_at_plan", Explain, py::arg("feed"), py::arg("step"));
  module->def("look_at_split", SplitOf, py::arg("feed"));
  module->def("step_to_show", ShownStep, py::arg("feed"), py::arg("rows"), py::arg("new_run"));
  module->def("contact_sheet", ContactSheet, py::arg("feed"), py::arg("step"), py::arg("rows"),
              py::arg("scale"));
  module->def("look_at_recipes", [] { return ToPython(LookAtRecipes()); });
  module->def(
      "look_at_recipe",
      [](const std::string& name, const std::vector<std::string>& edits) {
        return ToPython(LookAtRecipe(name, edits));
      },
      py::arg("name"), py::arg("edits"));
  module->def(
      "compare_recipes",
      [](const std::string& a, const std::string& b, const std::vector<std::string>& edits) {
        return ToPython(CompareRecipes(a, b, edits));
      },
      py::arg("a"), py::arg("b"), py::arg("edits"));
  module->def("spec_for_looking", SpecForLooking, py::arg("spec"));
  BindFigures(module);
}

}  // namespace mixfeed::python
