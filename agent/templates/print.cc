#include "templates/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "base/number.h"
#include "base/rune.h"
#include "go/format.h"
#include "templates/object.h"

namespace templates {
namespace {

struct Directive {
  bool plus = false, minus = false, sharp = false, space = false, zero = false;
  std::optional<int> width, precision;
  char verb = 0;
  std::string verb_text;  // the verb may be any character of UTF-8
};

std::size_t rune_count(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
}

std::string pad(std::string text, const Directive& d) {
  const auto width = static_cast<std::size_t>(d.width.value_or(0));
  const std::size_t length = rune_count(text);
  if (length >= width) return text;
  if (d.minus) return text + std::string(width - length, ' ');
  return std::string(width - length, d.zero ? '0' : ' ') + text;
}

std::string pad_number(std::string number, const Directive& d) {
  const auto width = static_cast<std::size_t>(d.width.value_or(0));
  const bool sign = !number.empty() && (number[0] == '-' || number[0] == '+' || number[0] == ' ');
  if (d.zero && !d.minus && sign && number.size() < width)
    return number[0] + std::string(width - number.size(), '0') + number.substr(1);
  return pad(std::move(number), d);
}

std::string print(const Value& value, const Directive& d, int depth);

std::string bad_verb(const Value& value, const Directive& d) {
  const std::string mark = "%!" + d.verb_text + "(";
  if (value.is<Nil>() || value.is<Missing>()) return mark + "<nil>)";
  Directive as_is = d;  // width and precision hold for what is shown of it
  as_is.verb = 'v';
  return mark + type_name(value) + "=" + print(value, as_is, 0) + ")";
}

std::string print_float(double v, const Value& value, Directive d) {
  if (std::string_view("veEfFgGxXb").find(d.verb) == std::string_view::npos) return bad_verb(value, d);
  std::string number;
  if (!std::isfinite(v)) {
    number = go::format_float(v, 'v', -1);
    if (std::isnan(v) && d.plus) number.insert(0, "+");
    d.zero = false;
    if (d.space && !d.plus && number[0] == '+') number[0] = ' ';
    return pad(std::move(number), d);
  }
  const bool general = d.verb == 'v' || d.verb == 'g' || d.verb == 'G';
  const int precision = d.precision ? *d.precision : general || d.verb == 'x' || d.verb == 'X' ? -1 : 6;
  number = go::format_float(v, d.verb, precision);
  if (!std::signbit(v) && (d.plus || d.space)) number.insert(0, d.plus ? "+" : " ");
  return pad_number(std::move(number), d);
}

std::string print_integer(std::int64_t n, const Value& value, const Directive& d) {
  const auto magnitude = n < 0 ? 0 - static_cast<std::uint64_t>(n) : static_cast<std::uint64_t>(n);
  std::string digits;
  switch (d.verb) {
    case 'v':
    case 'd': digits = fmt::format("{}", magnitude); break;
    case 'b': digits = fmt::format(fmt::runtime(d.sharp ? "0b{:b}" : "{:b}"), magnitude); break;
    case 'o': digits = fmt::format(fmt::runtime(d.sharp ? "0{:o}" : "{:o}"), magnitude); break;
    case 'O': digits = fmt::format("0o{:o}", magnitude); break;
    case 'x': digits = fmt::format(fmt::runtime(d.sharp ? "0x{:x}" : "{:x}"), magnitude); break;
    case 'X': digits = fmt::format(fmt::runtime(d.sharp ? "0X{:X}" : "{:X}"), magnitude); break;
    case 'U': return pad(fmt::format("U+{:04X}", magnitude), d);
    case 'c':
    case 'q': {
      const char32_t rune = magnitude <= 0x10FFFF && n >= 0 ? static_cast<char32_t>(n) : base::kBadRune;
      if (d.verb == 'q') return pad(go::quote_rune(rune), d);
      std::string text;
      base::append_rune(text, rune);
      return pad(std::move(text), d);
    }
    default: return bad_verb(value, d);
  }
  if (d.precision && digits.size() < static_cast<std::size_t>(*d.precision))
    digits.insert(0, static_cast<std::size_t>(*d.precision) - digits.size(), '0');
  if (n < 0) digits.insert(0, "-");
  else if (d.plus || d.space) digits.insert(0, d.plus ? "+" : " ");
  return pad_number(std::move(digits), d);
}

std::string print_string(std::string_view text, const Value& value, const Directive& d) {
  const bool hex = d.verb == 'x' || d.verb == 'X';
  if (std::string_view("vsqxX").find(d.verb) == std::string_view::npos) return bad_verb(value, d);
  if (d.precision) {
    std::size_t kept = 0;
    for (int i = 0; i < *d.precision && kept < text.size(); ++i) {
      std::size_t bytes = 1;
      if (!hex) base::first_rune(text.substr(kept), bytes);
      kept += bytes;
    }
    text = text.substr(0, kept);
  }
  if (d.verb == 'q') {
    const bool raw = d.sharp && text.find_first_of("`\n\r") == std::string_view::npos;
    return pad(raw ? "`" + std::string(text) + "`" : go::quote(text), d);
  }
  if (!hex) return pad(std::string(text), d);
  std::string out;
  for (const char c : text) {
    if (d.space && !out.empty()) out += ' ';
    out += fmt::format(fmt::runtime(d.verb == 'x' ? "{:02x}" : "{:02X}"),
                       static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  return pad(std::move(out), d);
}

template <typename List, typename F>
std::string join(const List& list, const char* open, F each, char close = ']') {
  std::string out = open;
  bool first = true;
  for (const auto& element : list) {
    if (!first) out += ' ';
    first = false;
    out += each(element);
  }
  return out + close;
}

std::string print_item(const Item& item, const Directive& d, int depth) {
  return (depth == 0 ? "&{" : "{") + print(item.labels, d, depth + 1) + " " + print(item.value, d, depth + 1) + "}";
}

std::string print_object(const ObjectRep& object, const Directive& d, int depth) {
  if (object.kind == ObjectRep::Kind::structure)
    return join(
        object.fields, "{", [&](const auto& field) { return print(field.second, d, depth + 1); }, '}');
  const bool is_map = object.kind == ObjectRep::Kind::map;
  return join(object.elements, is_map ? "map[" : "[", [&](const auto& element) {
    return (is_map ? print(element.first, d, depth + 1) + ":" : "") + print(element.second, d, depth + 1);
  });
}

std::string print(const Value& value, const Directive& d, int depth) {
  if (d.verb == 'T') {
    Directive plain = d;
    plain.verb = 's';
    return print_string(type_name(value), value, plain);
  }
  if (const auto* b = value.as<bool>())
    return d.verb == 't' || d.verb == 'v' ? pad(*b ? "true" : "false", d) : bad_verb(value, d);
  if (const auto* n = value.as<std::int64_t>()) return print_integer(*n, value, d);
  if (const auto* f = value.as<double>()) return print_float(*f, value, d);
  if (const auto* s = value.as<std::string>()) return print_string(*s, value, d);
  if (const auto* h = value.as<Html>()) return print_string(h->text, value, d);
  if (const auto* t = value.as<Moment>()) return print_string(go::time_string(t->t), value, d);
  if (const auto* s = value.as<Span>()) return print_string(go::duration_string(s->ns), value, d);
  if (const auto* labels = value.as<model::Labels>())
    return join(*labels, "map[", [&](const model::Label& label) {
      return print(std::string(label.name), d, depth + 1) + ":" + print(std::string(label.value), d, depth + 1);
    });
  if (const auto* item = value.as<Item>()) return print_item(*item, d, depth);
  if (const auto* items = value.as<Items>())
    return join(items->list, "[", [&](const Item& item) { return print_item(item, d, depth + 1); });
  if (const auto* arguments = value.as<Arguments>()) {
    int i = 0;
    return join(arguments->list, "map[",
                [&](const Value& v) { return fmt::format("arg{}:{}", i++, print(v, d, depth + 1)); });
  }
  if (const auto* object = value.as<Object>()) return print_object(*object->rep, d, depth);
  if (value.is<Root>()) return "{}";
  return d.verb == 'v' ? pad("<nil>", d) : bad_verb(value, d);
}

// A walk over one format string with its arguments.
class Sprintf {
 public:
  Sprintf(std::string_view format, const std::vector<Value>& values, int width_limit)
      : rest_(format), values_(values), width_limit_(width_limit) {}

  std::string run() {
    while (!rest_.empty()) {
      const std::size_t percent = std::min(rest_.find('%'), rest_.size());
      out_ += rest_.substr(0, percent);
      rest_.remove_prefix(percent);
      if (!rest_.empty()) directive();
    }
    if (!reordered_ && next_ < values_.size()) {
      out_ += "%!(EXTRA ";
      for (std::size_t i = next_; i < values_.size(); ++i) {
        if (i > next_) out_ += ", ";
        const bool nil = values_[i].is<Nil>();
        out_ += nil ? "<nil>" : type_name(values_[i]) + "=" + print_value(values_[i]);
      }
      out_ += ")";
    }
    return std::move(out_);
  }

 private:
  bool take(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void flags(Directive& d) {
    for (; !rest_.empty(); rest_.remove_prefix(1)) {
      const char c = rest_[0];
      if (c == '+') d.plus = true;
      else if (c == '-') d.minus = true;
      else if (c == '#') d.sharp = true;
      else if (c == ' ') d.space = true;
      else if (c == '0') d.zero = !d.minus;
      else return;
    }
  }

  // [3]: the argument with this number comes next.
  void argument_index() {
    if (rest_.empty() || rest_[0] != '[') return;
    const std::size_t close = rest_.find(']');
    const auto n =
        close == std::string_view::npos ? std::nullopt : base::read_number<std::size_t>(rest_.substr(1, close - 1));
    if (n && *n >= 1 && *n <= values_.size()) next_ = *n - 1;
    else bad_index_ = true;
    reordered_ = true;
    rest_.remove_prefix(close == std::string_view::npos ? 1 : close + 1);
  }

  std::optional<int> number(const char* bad) {
    if (take('*')) {
      const auto* n = next_ < values_.size() ? values_[next_].as<std::int64_t>() : nullptr;
      if (next_ < values_.size()) ++next_;
      if (n && *n >= -width_limit_ && *n <= width_limit_) return static_cast<int>(*n);
      out_ += bad;
      return std::nullopt;
    }
    if (rest_.empty() || rest_[0] < '0' || rest_[0] > '9') return std::nullopt;
    long long n = 0;
    while (!rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9') {
      n = std::min<long long>(n * 10 + (rest_[0] - '0'), width_limit_);
      rest_.remove_prefix(1);
    }
    return static_cast<int>(n);
  }

  void directive() {
    rest_.remove_prefix(1);
    Directive d;
    bad_index_ = false;
    flags(d);
    argument_index();
    d.width = number("%!(BADWIDTH)");
    if (d.width && *d.width < 0) {
      d.width = -*d.width;
      d.minus = true;
      d.zero = false;
    }
    if (take('.')) {
      argument_index();
      d.precision = number("%!(BADPREC)").value_or(0);
      if (*d.precision < 0) d.precision.reset();
    }
    argument_index();
    if (rest_.empty()) {
      out_ += "%!(NOVERB)";
      return;
    }
    std::size_t bytes = 0;
    base::first_rune(rest_, bytes);
    d.verb_text = rest_.substr(0, bytes);
    d.verb = bytes == 1 ? rest_[0] : '\0';
    rest_.remove_prefix(bytes);
    if (d.verb == '%') {
      out_ += '%';
    } else if (bad_index_) {
      out_ += "%!" + d.verb_text + "(BADINDEX)";
    } else if (next_ >= values_.size()) {
      out_ += "%!" + d.verb_text + "(MISSING)";
    } else {
      if (d.verb == 'v') d.plus = false;  // %+v asks for field names, not for a sign
      out_ += print(values_[next_++], d, 0);
    }
  }

  std::string_view rest_;
  const std::vector<Value>& values_;
  int width_limit_;
  std::string out_;
  std::size_t next_ = 0;
  bool reordered_ = false, bad_index_ = false;
};

bool is_string(const Value& value) { return value.is<std::string>(); }

}  // namespace

std::string print_value(const Value& value) {
  Directive d;
  d.verb = 'v';
  d.verb_text = "v";
  return print(value, d, 0);
}

std::string sprint(const std::vector<Value>& values) {
  std::string out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0 && !is_string(values[i]) && !is_string(values[i - 1])) out += ' ';
    out += print_value(values[i]);
  }
  return out;
}

std::string sprintln(const std::vector<Value>& values) {
  std::string out;
  for (const Value& value : values) out += (out.empty() && &value == values.data() ? "" : " ") + print_value(value);
  return out + "\n";
}

std::string html_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\0': out += "\xEF\xBF\xBD"; break;
      case '"': out += "&#34;"; break;
      case '\'': out += "&#39;"; break;
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string sprintf(std::string_view format, const std::vector<Value>& values, int width_limit) {
  return Sprintf(format, values, width_limit).run();
}

}  // namespace templates
