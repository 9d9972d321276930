// Values that only templates of messages meet: Alertmanager's structs, lists and maps, with the methods that they have
// there (template package, version 0.25).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "templates/value.h"

namespace templates {

struct ObjectRep {
  enum class Kind { structure, list, map };
  Kind kind = Kind::structure;
  std::string type;                                     // template.Data
  std::vector<std::pair<std::string, Value>> fields{};  // and methods without arguments
  std::vector<std::pair<Value, Value>> elements{};      // of a list or a map: index or key, and what is there
  model::Labels labels{};                               // of a map
};

using Fields = std::vector<std::pair<std::string, Value>>;

Value make_struct(std::string type, Fields fields);
Value make_list(std::string type, std::vector<Value> values, Fields methods = {});
Value make_strings(const std::vector<std::string>& texts);
// template.KV, which has SortedPairs, Names, Values and Remove.
Value make_kv(const model::Labels& labels);
// The same without these names, a list of strings.
Value without_names(const ObjectRep& kv, const ObjectRep& names);

// Null if there is none of this name.
const Value* find_field(const ObjectRep& object, const std::string& name);

}  // namespace templates
