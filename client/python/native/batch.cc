#include "client/python/native/batch.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "client/python/native/arrays.h"
#include "client/python/native/held.h"

namespace mixfeed::python {
namespace {

namespace py = pybind11;

class Batch : public Held<ReceivedBatch> {
 public:
  using Held::Held;
  const v1::BatchHeader& header() const { return received()->header(); }
};

py::object Images(const Batch& batch) {
  const v1::BatchHeader& header = batch.header();
  return PixelArray(batch.received()->pixels().data(), header.type(),
                    ImagesShape(header.rows(), header.image(), header.layout()), batch.received());
}

py::object Targets(const Batch& batch) {
  constexpr int64_t kPairColumns = 3;
  const v1::BatchHeader& header = batch.header();
  const int64_t columns = header.targets() == v1::PAIRS ? kPairColumns : header.classes();
  return ArrayOver(batch.received()->targets().data(), py::dtype::of<float>(),
                   {header.rows(), columns}, batch.received());
}

// A field with one entry a row.
template <typename T>
py::object Rows(const Batch& batch, const google::protobuf::RepeatedField<T>& field,
                Shape shape = {}) {
  return FieldArray(field, batch.received(), std::move(shape));
}

py::object Boxes(const Batch& batch) {
  constexpr int64_t kSides = 4;
  const auto& box = batch.header().box();
  if (box.empty()) return py::none();
  return Rows(batch, box, {box.size() / kSides, kSides});
}

template <typename T>
py::object More(const Batch& batch, const google::protobuf::RepeatedField<T>& field) {
  const int64_t rows = std::max<int64_t>(batch.header().rows(), 1);
  return Rows(batch, field, {field.size() / rows, rows});
}

int64_t Labelled(const Batch& batch) {
  const auto& pool = batch.header().pool();
  return std::count_if(pool.begin(), pool.end(), [](int p) { return p != v1::UNLABELLED; });
}

// A field of header.guess; None on feeds that do not guess.
template <typename Read>
auto OfGuess(Read read) {
  return [read](const Batch& batch) -> py::object {
    if (!batch.header().has_guess()) return py::none();
    return py::cast(read(batch.header().guess()));
  };
}

template <typename Read>
auto OfHeader(Read read) {
  return [read](const Batch& batch) { return read(batch.header()); };
}

std::string Repr(const Batch& batch) {
  if (batch.released()) return "<mixfeed.Batch, released>";
  return "<mixfeed.Batch step " + std::to_string(batch.header().step()) + ", " +
         std::to_string(batch.header().rows()) + " rows>";
}

void BindArraysOfBatch(py::class_<Batch>* type) {
  type->def_property_readonly(
          "images", Images,
          "[rows, C, H, W], or [rows, H, W, C] under layout='nhwc', of the feed's dtype; a "
          "Bfloat16Array under 'bfloat16'. Normalised as the feed's `normalise` says.")
      .def_property_readonly("targets", Targets,
                             "float32 [rows, classes], each row sums to 1; [rows, 3] = (y_a, y_b, "
                             "lambda) under targets='pairs'.")
      .def_property_readonly(
          "partner", [](const Batch& b) { return Rows(b, b.header().partner()); },
          "int32 [rows]: index among the step's rows of the row mixed in; itself if none.")
      .def_property_readonly(
          "lam", [](const Batch& b) { return Rows(b, b.header().lambda()); },
          "float32 [rows]: weight of the row itself, 0..1; 1 if nothing is mixed in.")
      .def_property_readonly(
          "sample_ids", [](const Batch& b) { return Rows(b, b.header().sample()); },
          "int32 [rows]: index into the dataset's test images for rows of Pool.TEST, else into its "
          "training images.")
      .def_property_readonly(
          "row", [](const Batch& b) { return Rows(b, b.header().row()); },
          "int32 [rows]: index among the step's rows; 0..rows-1 unless shared or interleaved.")
      .def_property_readonly(
          "pool", [](const Batch& b) { return Rows(b, b.header().pool()); },
          "int32 [rows]: a mixfeed.Pool.")
      .def_property_readonly(
          "view", [](const Batch& b) { return Rows(b, b.header().view()); },
          "int32 [rows]: which of the K views of its image, from 0.")
      .def_property_readonly("box", Boxes,
                             "int32 [rows, 4] = (y0, x0, y1, x1), where CutMix shows the partner: "
                             "zeros where the row is blended; None when no row has a box.")
      .def_property_readonly(
          "more_partner", [](const Batch& b) { return More(b, b.header().more_partner()); },
          "int32 [n - 2, rows]: the further partners where n > 2 images are mixed.")
      .def_property_readonly(
          "more_weight", [](const Batch& b) { return More(b, b.header().more_weight()); },
          "float32 [n - 2, rows]: their weights.");
}

void BindValuesOfBatch(py::class_<Batch>* type) {
  type->def_property_readonly("step", OfHeader([](const auto& h) { return h.step(); }),
                              "Index of the batch in its feed.")
      .def_property_readonly("rows", OfHeader([](const auto& h) { return h.rows(); }),
                             "Number of rows.")
      .def_property_readonly("classes", OfHeader([](const auto& h) { return h.classes(); }),
                             "Number of classes.")
      .def_property_readonly("n_labelled", Labelled,
                             "Rows whose label is known: the first ones, unless interleaved.")
      .def_property_readonly("lambda_u",
                             OfHeader([](const auto& h) { return h.unlabelled_weight(); }),
                             "What the unlabelled loss of the step weighs, after the ramp.")
      .def_property_readonly("layer", OfHeader([](const auto& h) { return h.layer(); }),
                             "Manifold mixup: the layer to mix by partner and lam; 0: the input, "
                             "which is mixed already.")
      .def_property_readonly("run", OfHeader([](const auto& h) { return h.run(); }),
                             "The feed's run.")
      .def_property_readonly("feed_id", OfHeader([](const auto& h) { return h.feed_id(); }),
                             "The feed's id, 32 hex digits.")
      .def_property_readonly("guess_model", OfGuess([](const auto& g) { return g.model(); }),
                             "Name of the model that guessed; None on feeds without guesses.")
      .def_property_readonly("guess_version", OfGuess([](const auto& g) { return g.version(); }),
                             "Its version; None on feeds without guesses.")
      .def_property_readonly("guess_update", OfGuess([](const auto& g) { return g.update(); }),
                             "The trainer's update count that its weights are of.")
      .def_property_readonly("guess_age", OfGuess([](const auto& g) { return g.age(); }),
                             "Updates between the weights and the step.")
      .def_property_readonly("confidence", OfGuess([](const auto& g) { return g.confidence(); }),
                             "Mean of the guesses' largest probability, before mixing: (0, 1].");
}

}  // namespace

void BindBatch(py::module_* module) {
  py::class_<Batch> type(
      *module, "Batch",
      "One step's rows. Its arrays are views of the memory that the batch was received into: "
      "writable, no copies; images and targets are 64-byte aligned. The memory goes back to be "
      "filled again when the batch was released (or forgotten) and no array of it is left; so an "
      "array stays valid for as long as you have it. After release() every attribute raises "
      "BatchReleased.");
  BindArraysOfBatch(&type);
  BindValuesOfBatch(&type);
  BindHeld(&type);
  type.def("__repr__", Repr);
}

py::object MakeBatch(ReceivedBatch batch) { return py::cast(Batch(std::move(batch))); }

}  // namespace mixfeed::python
