// Writes JSON as Go's encoder writes it (no spaces; <, > and & escaped, so that it may stand inside HTML), in one pass.
//   Json j; j.object([&] { j.key("a").number(1); j.key("b").array([&] { j.string("x"); }); });
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/labels.h"

namespace encoding {

// JSON of others as Go reads it: bytes that are no UTF-8, and halves of surrogate pairs, become U+FFFD. Parsers that
// are stricter would call the whole document broken.
std::string readable_json(std::string_view text);

class Json {
 public:
  template <typename F>
  Json& object(F inside) {
    open('{');
    inside();
    return close('}');
  }
  template <typename F>
  Json& array(F inside) {
    open('[');
    inside();
    return close(']');
  }
  Json& key(std::string_view name);
  Json& string(std::string_view text);  // bytes that are no UTF-8 become U+FFFD
  Json& number(double value);           // shortest form; must be finite
  Json& integer(std::int64_t value);
  Json& boolean(bool value);  // NOLINT: the value itself
  Json& null();
  Json& raw(std::string_view json);  // already JSON
  Json& labels(const model::Labels& labels);
  Json& time(base::WallTime t);  // RFC 3339, as a string; the zero time as Go writes it

  void reserve(std::size_t bytes) { out_.reserve(bytes); }
  const std::string& text() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  void open(char bracket);
  Json& close(char bracket);
  void separate();
  std::string out_;
  bool first_ = true;
};

}  // namespace encoding
