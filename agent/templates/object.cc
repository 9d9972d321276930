#include "templates/object.h"

#include <algorithm>

namespace templates {
namespace {

Value made(ObjectRep rep) { return Value(Object{std::make_shared<const ObjectRep>(std::move(rep))}); }

// As Alertmanager sorts them: alertname first.
std::vector<std::pair<std::string, std::string>> sorted_pairs(const model::Labels& labels) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const model::Label label : labels) out.emplace_back(label.name, label.value);
  std::stable_partition(out.begin(), out.end(), [](const auto& pair) { return pair.first == "alertname"; });
  return out;
}

Fields kv_methods(const model::Labels& labels) {
  std::vector<Value> pairs;
  std::vector<std::string> names, values;
  for (const auto& [name, value] : sorted_pairs(labels)) {
    pairs.push_back(make_struct("template.Pair", {{"Name", name}, {"Value", value}}));
    names.push_back(name);
    values.push_back(value);
  }
  const Value name_list = make_strings(names), value_list = make_strings(values);
  return {
      {"SortedPairs", make_list("template.Pairs", std::move(pairs), {{"Names", name_list}, {"Values", value_list}})},
      {"Names", name_list},
      {"Values", value_list}};
}

}  // namespace

Value make_struct(std::string type, Fields fields) {
  return made({.kind = ObjectRep::Kind::structure, .type = std::move(type), .fields = std::move(fields)});
}

Value make_list(std::string type, std::vector<Value> values, Fields methods) {
  ObjectRep rep{.kind = ObjectRep::Kind::list, .type = std::move(type), .fields = std::move(methods)};
  for (Value& value : values)
    rep.elements.emplace_back(static_cast<std::int64_t>(rep.elements.size()), std::move(value));
  return made(std::move(rep));
}

Value make_strings(const std::vector<std::string>& texts) {
  std::vector<Value> values;
  for (const std::string& text : texts) values.emplace_back(text);
  return make_list("[]string", std::move(values));
}

Value make_kv(const model::Labels& labels) {
  ObjectRep rep{.kind = ObjectRep::Kind::map, .type = "template.KV", .fields = kv_methods(labels)};
  for (const model::Label label : labels) rep.elements.emplace_back(std::string(label.name), std::string(label.value));
  rep.labels = labels;
  return made(std::move(rep));
}

Value without_names(const ObjectRep& kv, const ObjectRep& names) {
  model::Labels left = kv.labels;
  for (const auto& [index, name] : names.elements)
    if (const auto* text = name.as<std::string>()) left = left.without(*text);
  return make_kv(left);
}

const Value* find_field(const ObjectRep& object, const std::string& name) {
  const auto found =
      std::find_if(object.fields.begin(), object.fields.end(), [&](const auto& field) { return field.first == name; });
  return found == object.fields.end() ? nullptr : &found->second;
}

}  // namespace templates
