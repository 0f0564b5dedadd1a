#include "client/python/native/spec.h"

#include <google/protobuf/util/json_util.h>
#include <pybind11/stl.h>

#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/status_macros.h"
#include "client/consumer_steps.h"
#include "client/python/native/raise.h"
#include "client/spec/enum_text.h"
#include "client/spec/local_spec.h"
#include "client/spec/spec_setting.h"

namespace mixfeed::python {
namespace {

namespace py = pybind11;

template <typename Enum>
Enum ParseEnum(const char* argument, const std::string& text,
               const google::protobuf::EnumDescriptor& type) {
  const int number = EnumNumber(type, text);
  if (number != 0) return static_cast<Enum>(number);
  Raise(absl::InvalidArgumentError(absl::StrCat(argument, ": '", text, "' is not one of ",
                                                absl::StrJoin(EnumTexts(type), ", "))));
}

PixelType RenderType(v1::PixelType type) {
  switch (type) {
    case v1::UINT8:
      return PixelType::kUint8;
    case v1::FLOAT16:
      return PixelType::kFloat16;
    case v1::BFLOAT16:
      return PixelType::kBfloat16;
    default:
      return PixelType::kFloat32;
  }
}

// The spec of `json` (a FeedSpec in protobuf's JSON form, or empty) with `settings` and `fields`
// over it, serialised.
py::bytes BuildSpec(const std::string& json, const std::map<std::string, std::string>& settings,
                    const std::vector<std::string>& fields) {
  v1::FeedSpec spec;
  if (!json.empty()) {
    const auto parsed = google::protobuf::util::JsonStringToMessage(json, &spec);
    if (!parsed.ok()) {
      Raise(absl::InvalidArgumentError(absl::StrCat(
          "spec: not a FeedSpec in protobuf's JSON form: ", std::string(parsed.message()))));
    }
  }
  RaiseUnlessOk(ApplySettings(settings, fields, &spec));
  return py::bytes(spec.SerializeAsString());
}

// Whether it is one ordered pass; not, for a recipe that a newer server alone knows.
bool IsOrdered(const std::string& bytes) {
  const absl::StatusOr<LocalSpec> local = ResolveLocally(ParseSpec(bytes));
  return local.ok() && local->recipe.rows == RowSource::kOrdered;
}

std::vector<std::string> SettingNames() {
  std::vector<std::string> names;
  for (const SpecSetting& setting : SpecSettings()) names.emplace_back(setting.name);
  return names;
}

}  // namespace

Consumer::Consumer(const std::string& dtype, const std::string& layout,
                   const std::string& normalise, const std::string& targets,
                   const std::string& sharing, uint32_t rank, uint32_t world, uint32_t prefetch,
                   uint32_t server_prefetch) {
  v1::PixelFormat* const format = &options_.format;
  format->set_type(ParseEnum<v1::PixelType>("dtype", dtype, *v1::PixelType_descriptor()));
  format->set_layout(ParseEnum<v1::Layout>("layout", layout, *v1::Layout_descriptor()));
  format->set_targets(ParseEnum<v1::TargetForm>("targets", targets, *v1::TargetForm_descriptor()));
  if (!normalise.empty()) format->mutable_normalisation()->set_name(normalise);
  options_.sharing =
      ParseEnum<v1::OpenStream::Sharing>("sharing", sharing, *v1::OpenStream::Sharing_descriptor());
  options_.rank = rank;
  options_.world = world;
  options_.prefetch = prefetch;
  options_.server_prefetch = server_prefetch;
  if (world == 0) Raise(absl::InvalidArgumentError("world: 0 given, at least 1 needed"));
  if (prefetch == 0) Raise(absl::InvalidArgumentError("prefetch: 0 given, at least 1 needed"));
  RaiseUnlessOk(CheckRank(options_));
}

StreamOptions Consumer::From(uint64_t step) const {
  StreamOptions options = options_;
  options.from_step = step;
  return options;
}

absl::StatusOr<PixelFormat> Consumer::RenderFormat(int channels) const {
  const v1::PixelFormat& wanted = options_.format;
  PixelFormat format;
  format.type = RenderType(wanted.type());
  format.layout = wanted.layout() == v1::NHWC ? PixelLayout::kNhwc : PixelLayout::kNchw;
  std::string name = wanted.normalisation().name();
  if (name.empty()) name = format.type == PixelType::kUint8 ? "raw" : "signed";
  absl::StatusOr<Normalisation> normalisation = FindNormalisation(name, channels);
  if (!normalisation.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("normalise: ", std::string(normalisation.status().message())));
  }
  format.normalisation = *normalisation;
  MIXFEED_RETURN_IF_ERROR(ValidatePixelFormat(format, channels));
  return format;
}

v1::Share Consumer::share() const {
  v1::Share share;
  if (options_.sharing != v1::OpenStream::SPLIT) return share;
  share.set_rank(options_.rank);
  share.set_world(options_.world);
  return share;
}

std::string JsonOf(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  // Fails for types that cannot be found only, and generated ones can.
  (void)google::protobuf::util::MessageToJsonString(message, &json, options);
  return json;
}

v1::FeedSpec ParseSpec(const std::string& bytes) {
  v1::FeedSpec spec;
  if (!spec.ParseFromString(bytes)) {
    Raise(absl::InvalidArgumentError("spec: these bytes are no serialised FeedSpec"));
  }
  return spec;
}

void BindSpec(py::module_* module) {
  py::class_<Consumer>(*module, "Consumer")
      .def(py::init<const std::string&, const std::string&, const std::string&, const std::string&,
                    const std::string&, uint32_t, uint32_t, uint32_t, uint32_t>(),
           py::kw_only(), py::arg("dtype"), py::arg("layout"), py::arg("normalise"),
           py::arg("targets"), py::arg("sharing"), py::arg("rank"), py::arg("world"),
           py::arg("prefetch"), py::arg("server_prefetch"))
      .def(
          "steps",
          [](const Consumer& consumer, uint64_t from_step) {
            const ConsumerSteps steps = StepsOf(consumer.From(from_step));
            return py::make_tuple(steps.next, steps.stride);
          },
          py::arg("from_step"), "(first, stride) of the consumer's steps from from_step on.");
  module->def("build_spec", BuildSpec, py::arg("json"), py::arg("settings"), py::arg("fields"));
  module->def("is_ordered", IsOrdered, py::arg("spec"));
  module->def("setting_names", SettingNames);
}

}  // namespace mixfeed::python
