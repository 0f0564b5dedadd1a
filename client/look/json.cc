#include "client/look/json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>

#include <string>

#include "client/spec/enum_text.h"
#include "mixfeed/v1/spec.pb.h"

namespace mixfeed {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

Json ProtobufJson(const Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, options).ok()) return nullptr;
  return Json::parse(text);
}

// Protobuf has an accessor for each type, once for single and once for repeated fields: `single`
// and `repeated` are the two of one type.
template <typename Single, typename Repeated>
auto Read(const Message& message, const FieldDescriptor* field, int index, Single single,
          Repeated repeated) {
  const Reflection& reflection = *message.GetReflection();
  return index < 0 ? (reflection.*single)(message, field)
                   : (reflection.*repeated)(message, field, index);
}

// The field's value, or its index-th one; index < 0 for fields that are not repeated.
Json ValueOf(const Message& message, const FieldDescriptor* field, int index) {
  const Reflection& reflection = *message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return Read(message, field, index, &Reflection::GetInt32, &Reflection::GetRepeatedInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return Read(message, field, index, &Reflection::GetInt64, &Reflection::GetRepeatedInt64);
    case FieldDescriptor::CPPTYPE_UINT32:
      return Read(message, field, index, &Reflection::GetUInt32, &Reflection::GetRepeatedUInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return Read(message, field, index, &Reflection::GetUInt64, &Reflection::GetRepeatedUInt64);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return Read(message, field, index, &Reflection::GetFloat, &Reflection::GetRepeatedFloat);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Read(message, field, index, &Reflection::GetDouble, &Reflection::GetRepeatedDouble);
    case FieldDescriptor::CPPTYPE_BOOL:
      return Read(message, field, index, &Reflection::GetBool, &Reflection::GetRepeatedBool);
    case FieldDescriptor::CPPTYPE_STRING:
      return Read(message, field, index, &Reflection::GetString, &Reflection::GetRepeatedString);
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumText(
          *Read(message, field, index, &Reflection::GetEnum, &Reflection::GetRepeatedEnum));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ToJson(index < 0 ? reflection.GetMessage(message, field)
                              : reflection.GetRepeatedMessage(message, field, index));
  }
  return nullptr;
}

Json FieldJson(const Message& message, const FieldDescriptor* field) {
  const Reflection& reflection = *message.GetReflection();
  if (field->is_repeated()) {
    Json values = Json::array();
    const int size = reflection.FieldSize(message, field);
    for (int i = 0; i < size; ++i) values.push_back(ValueOf(message, field, i));
    return values;
  }
  if (field->has_presence() && !reflection.HasField(message, field)) return nullptr;
  return ValueOf(message, field, /*index=*/-1);
}

}  // namespace

Json ToJson(const Message& message) {
  if (message.GetDescriptor() == v1::FeedSpec::descriptor()) return ProtobufJson(message);
  Json object = Json::object();
  const auto* type = message.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->type() == FieldDescriptor::TYPE_BYTES) continue;
    object[field->name()] = FieldJson(message, field);
  }
  return object;
}

std::string Dump(const Json& json, int indent) {
  return json.dump(indent, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

}  // namespace mixfeed
