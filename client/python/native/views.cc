#include "client/python/native/views.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "client/buffer_pool.h"
#include "client/mix.h"
#include "client/python/native/arrays.h"
#include "client/python/native/batch.h"
#include "client/python/native/held.h"

namespace mixfeed::python {
namespace {

namespace py = pybind11;

using Floats = py::array_t<float, py::array::c_style>;

class Views : public Held<ReceivedViews> {
 public:
  Views(ReceivedViews views, const Consumer& consumer, const PixelFormat& format)
      : Held(std::move(views)), consumer_(consumer), format_(format) {}

  const v1::ViewsHeader& header() const { return received()->header(); }
  const Consumer& consumer() const { return consumer_; }
  const PixelFormat& format() const { return format_; }

 private:
  Consumer consumer_;
  PixelFormat format_;
};

// Images first..first+count-1 in the consumer's format, in an array whose shape begins with `lead`.
py::object Render(const Views& views, size_t first, size_t count, Shape lead) {
  const std::shared_ptr<ReceivedViews> received = views.received();
  const v1::ImageShape& image = received->header().batch().image();
  const size_t image_bytes = size_t{image.channels()} * image.height() * image.width() *
                             PixelTypeBytes(views.format().type);
  const auto buffer = std::make_shared<AlignedBuffer>(AlignUp(count * image_bytes));
  absl::Status status;
  {
    const py::gil_scoped_release unlocked;
    status = RenderImages(*received, first, count, views.format(),
                          {buffer->data(), count * image_bytes});
  }
  RaiseUnlessOk(status);
  const v1::PixelFormat& format = views.consumer().format();
  const Shape one = ImagesShape(0, image, format.layout());
  lead.insert(lead.end(), one.begin() + 1, one.end());
  return PixelArray(buffer->data(), format.type(), lead, buffer);
}

py::object LabelledImages(const Views& views) {
  const size_t rows = views.header().labelled_rows();
  return Render(views, 0, rows, {static_cast<int64_t>(rows)});
}

py::object UnlabelledImages(const Views& views) {
  const v1::ViewsHeader& header = views.header();
  return Render(views, header.labelled_rows(), size_t{header.views()} * header.unlabelled_rows(),
                {header.views(), header.unlabelled_rows()});
}

std::vector<float> Copy(const Floats& array) { return {array.data(), array.data() + array.size()}; }

// [unlabelled rows, classes] of [K, unlabelled rows, classes].
py::object Guesses(const Views& views, const Floats& probabilities) {
  const v1::ViewsHeader& header = views.header();
  const int64_t rows = header.unlabelled_rows();
  const int64_t classes = header.batch().classes();
  const auto guesses = std::make_shared<std::vector<float>>(rows * classes);
  RaiseUnlessOk(MakeGuesses(Copy(probabilities), static_cast<int>(header.views()),
                            static_cast<int>(classes), header.temperature(), *guesses));
  return ArrayOver(guesses->data(), py::dtype::of<float>(), {rows, classes}, guesses);
}

py::object Mix(const Views& views, const Floats& guesses) {
  const std::shared_ptr<ReceivedViews> received = views.received();
  absl::StatusOr<ReceivedBatch> mixed;
  {
    const std::vector<float> values = Copy(guesses);
    const py::gil_scoped_release unlocked;
    mixed = received->Mix(values, views.format());
  }
  return MakeBatch(ValueOrRaise(std::move(mixed)));
}

py::object Pixels(const Views& views) {
  const v1::ViewsHeader& header = views.header();
  return PixelArray(views.received()->pixels().data(), header.type(),
                    ImagesShape(header.images(), header.batch().image(), v1::NCHW),
                    views.received());
}

py::object Targets(const Views& views) {
  const v1::ViewsHeader& header = views.header();
  return ArrayOver(views.received()->targets().data(), py::dtype::of<float>(),
                   {header.images(), header.batch().classes()}, views.received());
}

template <typename Read>
auto OfHeader(Read read) {
  return [read](const Views& views) { return read(views.header()); };
}

template <typename Read>
auto OfImages(Read read) {
  return [read](const Views& views) { return FieldArray(read(views.header()), views.received()); };
}

std::string Repr(const Views& views) {
  if (views.released()) return "<mixfeed.Views, released>";
  const v1::ViewsHeader& header = views.header();
  return "<mixfeed.Views of step " + std::to_string(header.batch().step()) + ", " +
         std::to_string(header.images()) + " images>";
}

void BindValues(py::class_<Views>* type) {
  type->def_property_readonly("step", OfHeader([](const auto& h) { return h.batch().step(); }),
                              "Index of the step in its feed.")
      .def_property_readonly("rows", OfHeader([](const auto& h) { return h.batch().rows(); }),
                             "Rows of the batch to be made.")
      .def_property_readonly("classes", OfHeader([](const auto& h) { return h.batch().classes(); }),
                             "Number of classes.")
      .def_property_readonly("n_labelled",
                             OfHeader([](const auto& h) { return h.labelled_rows(); }),
                             "Labelled images: the first ones.")
      .def_property_readonly("n_unlabelled",
                             OfHeader([](const auto& h) { return h.unlabelled_rows(); }),
                             "Unlabelled images of one view: rows of the guesses.")
      .def_property_readonly("n_views", OfHeader([](const auto& h) { return h.views(); }),
                             "K, views of each unlabelled image; 0 without unlabelled images.")
      .def_property_readonly("temperature", OfHeader([](const auto& h) { return h.temperature(); }),
                             "T of the recipe's sharpening; 0 of recipes that do not guess.");
}

void BindArraysOfViews(py::class_<Views>* type) {
  type->def_property_readonly(
          "pixels", Pixels,
          "[images, C, H, W], levels of 0..255 as they came, not normalised: uint8, or float32 of "
          "recipes that resample or tone their views. First the labelled images, then each of the "
          "K "
          "views of the unlabelled ones, then images that others are only mixed with.")
      .def_property_readonly(
          "targets", Targets,
          "float32 [images, classes], before mixing; zeros where a guess belongs.")
      .def_property_readonly("sample_ids",
                             OfImages([](const auto& h) -> const auto& { return h.sample(); }),
                             "int32 [images]: as Batch.sample_ids.")
      .def_property_readonly("pool",
                             OfImages([](const auto& h) -> const auto& { return h.pool(); }),
                             "int32 [images]: a mixfeed.Pool.")
      .def_property_readonly("view",
                             OfImages([](const auto& h) -> const auto& { return h.view(); }),
                             "int32 [images]: which of the K views, from 0.")
      .def_property_readonly(
          "guess", OfImages([](const auto& h) -> const auto& { return h.guess(); }),
          "int32 [images]: the row of the guesses that is the image's target, or -1.");
}

}  // namespace

void BindViews(py::module_* module) {
  py::class_<Views> type(
      *module, "Views",
      "One step's images before they are guessed and mixed, which Feed.views gives. Arrays are "
      "views of the memory that it was received into, as those of a Batch. Pixels are given and "
      "mixed as the feed's dtype, layout and normalise say. After release() every attribute raises "
      "BatchReleased.");
  BindHeld(&type);
  BindArraysOfViews(&type);
  BindValues(&type);
  type.def("labelled_images", LabelledImages,
           "The labelled images as a network takes them: [n_labelled, C, H, W] or [n_labelled, H, "
           "W, C], normalised, in new memory.")
      .def("unlabelled_images", UnlabelledImages,
           "The K views of the unlabelled images likewise: [n_views, n_unlabelled, C, H, W] or "
           "[n_views, n_unlabelled, H, W, C].")
      .def("make_guesses", Guesses, py::arg("probabilities"),
           "A network's probabilities, float32 [n_views, n_unlabelled, classes], averaged over the "
           "views and sharpened at `temperature`: float32 [n_unlabelled, classes]. Raises "
           "InvalidArgument for sizes that do not fit and rows that are no distributions. "
           "Feed.mix takes other types and shapes.")
      .def("mix", Mix, py::arg("guesses"),
           "The Batch that these images and `guesses`, float32 [n_unlabelled, classes], make; "
           "without unlabelled images [0, classes]. Raises InvalidArgument for sizes that do not "
           "fit and rows that are no distributions. Feed.mix takes other types.")
      .def("__repr__", Repr);
}

py::object MakeViews(ReceivedViews views, const Consumer& consumer) {
  const int channels = static_cast<int>(views.header().batch().image().channels());
  const PixelFormat format = ValueOrRaise(consumer.RenderFormat(channels));
  return py::cast(Views(std::move(views), consumer, format));
}

}  // namespace mixfeed::python
