// What a template computes with: the few Go types that text/template meets in rule files, with their Go names.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.h"
#include "model/labels.h"

namespace templates {

struct Value;

struct Nil {};
struct Missing {};  // the last argument of the first command in a pipeline: there is none
struct Root {};     // the dot at the top: .Labels, .Value, .ExternalLabels, .ExternalURL
struct Html {       // safeHtml: a string that has a type of its own
  std::string text;
};
struct Moment {  // toTime
  base::WallTime t;
};
struct Span {  // toDuration
  std::int64_t ns = 0;
};
struct Item {  // one element of a query's result
  model::Labels labels;
  double value = 0;
};
struct Items {
  std::vector<Item> list;
};
struct Arguments {  // args: arg0, arg1 …
  std::vector<Value> list;
};

struct ObjectRep;
struct Object {  // what templates of messages see: object.h; never null
  std::shared_ptr<const ObjectRep> rep;
};

struct Value : std::variant<Nil, Missing, Root, bool, std::int64_t, double, std::string, Html, model::Labels, Item,
                            Items, Moment, Span, Arguments, Object> {
  using variant::variant;
  template <typename T>
  const T* as() const {
    return std::get_if<T>(static_cast<const variant*>(this));
  }
  template <typename T>
  bool is() const {
    return as<T>() != nullptr;
  }
};

// Go's name of the type, for error texts and %T.
std::string type_name(const Value& value);
// About how many bytes it holds.
std::size_t weight(const Value& value);
// Neither zero nor empty.
bool truth(const Value& value);

}  // namespace templates
