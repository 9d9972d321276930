#include "templates/functions.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>

#include "base/percent.h"
#include "base/regex.h"
#include "base/time.h"
#include "go/format.h"
#include "templates/builtins.h"
#include "templates/object.h"

namespace templates {
namespace {

using List = const std::vector<Value>&;
using Answer = base::Result<Value>;

tl::unexpected<base::Error> wrong(std::string text) { return base::fail(base::Kind::invalid, std::move(text)); }
const std::string& text(List a, std::size_t i) { return *a[i].as<std::string>(); }

constexpr std::size_t kMaxReplaced = 16 * 1024 * 1024;

// ---- numbers ----

base::Result<double> number(const Value& v) {
  if (const auto* d = v.as<double>()) return *d;
  if (const auto* n = v.as<std::int64_t>()) return static_cast<double>(*n);
  if (const auto* s = v.as<std::string>()) return go::parse_float(*s);
  if (const auto* s = v.as<Span>()) return static_cast<double>(s->ns) / 1e9;
  return wrong(fmt::format("can't convert {} to float", type_name(v)));
}

std::string four_digits(double v) { return go::format_float(v, 'g', 4); }
bool plain(double v) { return v == 0 || !std::isfinite(v); }

constexpr const char* kSmall[] = {"m", "u", "n", "p", "f", "a", "z", "y"};

std::string scaled_up(double v, double step, std::span<const char* const> prefixes) {
  const char* prefix = "";
  for (const char* next : prefixes) {
    if (std::abs(v) < step) break;
    prefix = next;
    v /= step;
  }
  return four_digits(v) + prefix;
}
std::string scaled_down(double v) {
  const char* prefix = "";
  for (const char* next : kSmall) {
    if (std::abs(v) >= 1) break;
    prefix = next;
    v *= 1000;
  }
  return four_digits(v) + prefix;
}

Answer humanize(List a, const TemplateContext&) {
  static constexpr const char* kLarge[] = {"k", "M", "G", "T", "P", "E", "Z", "Y"};
  TRY(const double v, number(a[0]));
  if (plain(v)) return Value(four_digits(v));
  return Value(std::abs(v) >= 1 ? scaled_up(v, 1000, kLarge) : scaled_down(v));
}

Answer humanize1024(List a, const TemplateContext&) {
  static constexpr const char* kLarge[] = {"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"};
  TRY(const double v, number(a[0]));
  if (plain(v) || std::abs(v) <= 1) return Value(four_digits(v));
  return Value(scaled_up(v, 1024, kLarge));
}

// What Go's conversion gives on amd64 for what does not fit: the least integer.
std::int64_t to_int64(double v) {
  if (!(v >= -9223372036854775808.0 && v < 9223372036854775808.0)) return std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(v);
}

Answer humanize_duration(List a, const TemplateContext&) {
  TRY(double v, number(a[0]));
  if (!std::isfinite(v)) return Value(four_digits(v));
  if (v == 0) return Value(four_digits(v) + "s");
  if (std::abs(v) < 1) return Value(scaled_down(v) + "s");
  const std::string sign = v < 0 ? "-" : "";
  v = std::abs(v);
  const std::int64_t whole = to_int64(v);
  const std::int64_t s = whole % 60, m = whole / 60 % 60, h = whole / 3600 % 24, d = whole / 86400;
  if (d != 0) return Value(fmt::format("{}{}d {}h {}m {}s", sign, d, h, m, s));
  if (h != 0) return Value(fmt::format("{}{}h {}m {}s", sign, h, m, s));
  if (m != 0) return Value(fmt::format("{}{}m {}s", sign, m, s));
  return Value(sign + four_digits(v) + "s");
}

Answer humanize_percentage(List a, const TemplateContext&) {
  TRY(const double v, number(a[0]));
  return Value(four_digits(v * 100) + "%");
}

base::Result<base::WallTime> moment(double v) {
  const double ns = v * 1e9;
  if (!std::isfinite(v)) return wrong("value is NaN or Inf");
  if (ns > 9223372036854775807.0 || ns < -9223372036854775808.0)
    return wrong(fmt::format("{} cannot be represented as a nanoseconds timestamp since it overflows int64",
                             go::format_float(v, 'v', -1)));
  return base::wall_from_ms(to_int64(ns) / 1'000'000);
}

Answer humanize_timestamp(List a, const TemplateContext&) {
  TRY(const double v, number(a[0]));
  if (!std::isfinite(v)) return Value(four_digits(v));
  TRY(const base::WallTime t, moment(v));
  return Value(go::time_string(t));
}

Answer to_time(List a, const TemplateContext&) {
  TRY(const double v, number(a[0]));
  TRY(const base::WallTime t, moment(v));
  return Value(Moment{t});
}

Answer to_duration(List a, const TemplateContext&) {
  TRY(const double v, number(a[0]));
  if (!std::isfinite(v)) return wrong("value is NaN or Inf");
  if (std::abs(v) * 1e9 > 9223372036854775807.0)
    return wrong(fmt::format("{} cannot be represented as a nanoseconds duration since it overflows int64",
                             go::format_float(v, 'v', -1)));
  return Value(Span{to_int64(v * 1e9)});
}

Answer parse_duration(List a, const TemplateContext&) {
  const auto d = base::parse_duration(text(a, 0));
  if (!d || text(a, 0).find('.') != std::string::npos)
    return wrong(text(a, 0).empty() ? "empty duration string"
                                    : fmt::format("not a valid duration string: {}", go::quote(text(a, 0))));
  return Value(static_cast<double>(d->count()) / 1000.0);
}

Answer now(List, const TemplateContext& context) { return Value(static_cast<double>(context.now_ms) / 1000.0); }

// ---- queries ----

Answer query(List a, const TemplateContext& context) {
  if (!context.query) return wrong("no data to query here");
  TRY(const promql::Vector found, context.query(text(a, 0)));
  Items items;
  for (const promql::VectorSample& one : found) items.list.push_back({one.labels, one.sample.v});
  return Value(std::move(items));
}

Answer first(List a, const TemplateContext&) {
  const auto& list = a[0].as<Items>()->list;
  if (list.empty()) return wrong("first() called on vector with no elements");
  return Value(list[0]);
}
Answer label(List a, const TemplateContext&) { return Value(std::string(a[1].as<Item>()->labels.get(text(a, 0)))); }
Answer value(List a, const TemplateContext&) { return Value(a[0].as<Item>()->value); }
Answer strvalue(List a, const TemplateContext&) { return Value(std::string(a[0].as<Item>()->labels.get("__value__"))); }
Answer sort_by_label(List a, const TemplateContext&) {
  Items items = *a[1].as<Items>();
  const std::string& name = text(a, 0);
  std::stable_sort(items.list.begin(), items.list.end(),
                   [&](const Item& x, const Item& y) { return x.labels.get(name) < y.labels.get(name); });
  return Value(std::move(items));
}

// ---- text ----

base::Result<const ObjectRep*> strings(const Value& v) {
  const auto* object = v.as<Object>();
  if (object == nullptr || object->rep->type != "[]string")
    return wrong(fmt::format("wrong type for value; expected []string; got {}", type_name(v)));
  return object->rep.get();
}

Answer join(List a, const TemplateContext&) {
  TRY(const ObjectRep* list, strings(a[1]));
  std::string out;
  for (const auto& [index, one] : list->elements) {
    if (*index.as<std::int64_t>() > 0) out += text(a, 0);
    out += *one.as<std::string>();
  }
  return Value(std::move(out));
}
Answer string_slice(List a, const TemplateContext&) { return make_list("[]string", a); }

Answer arguments(List a, const TemplateContext&) { return Value(Arguments{a}); }
Answer safe_html(List a, const TemplateContext&) { return Value(Html{text(a, 0)}); }
Answer title(List a, const TemplateContext& context) {
  return Value(context.compat == promql::Compat::v3 ? go::title_of_words(text(a, 0)) : go::title(text(a, 0)));
}
Answer to_upper(List a, const TemplateContext&) { return Value(go::to_upper(text(a, 0))); }
Answer to_lower(List a, const TemplateContext&) { return Value(go::to_lower(text(a, 0))); }
Answer url_query_escape(List a, const TemplateContext&) { return Value(base::form_encode(text(a, 0))); }

Answer match(List a, const TemplateContext&) {
  TRY(const base::Regex regex, base::Regex::compile(text(a, 0)));
  return Value(regex.found_in(text(a, 1)));
}
Answer replace(List a, const TemplateContext&) {
  if ((text(a, 2).size() + 1) * (text(a, 1).size() + 1) > kMaxReplaced) return wrong("the result could be too long");
  TRY(const base::Regex regex, base::Regex::compile(text(a, 0)));
  return Value(regex.replace_all(text(a, 2), text(a, 1)));
}

Answer graph_link(List a, const TemplateContext&) {
  return Value("/graph?g0.expr=" + base::form_encode(text(a, 0)) + "&g0.tab=0");
}
Answer table_link(List a, const TemplateContext&) {
  return Value("/graph?g0.expr=" + base::form_encode(text(a, 0)) + "&g0.tab=1");
}
Answer external_url(List, const TemplateContext& context) { return Value(context.external_url); }
Answer path_prefix(List, const TemplateContext& context) {
  std::string_view url = context.external_url;
  if (const auto scheme = url.find("://"); scheme != std::string_view::npos) {
    url.remove_prefix(scheme + 3);
    url.remove_prefix(std::min(url.find_first_of("/?#"), url.size()));
  }
  return Value(std::string(url.substr(0, url.find_first_of("?#"))));
}

struct HostPort {
  std::string_view host, port;
};
// Go's net.SplitHostPort: host:port, [v6]:port; anything else is no pair.
std::optional<HostPort> split_host_port(std::string_view s) {
  const auto colon = s.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  HostPort out{s.substr(0, colon), s.substr(colon + 1)};
  if (!s.empty() && s[0] == '[') {
    const auto close = s.find(']');
    if (close == std::string_view::npos || close + 1 != colon) return std::nullopt;
    out.host = s.substr(1, close - 1);
  } else if (out.host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  const auto brackets = [](std::string_view part) { return part.find_first_of("[]") != std::string_view::npos; };
  if (brackets(out.host) || brackets(out.port)) return std::nullopt;
  return out;
}

Answer strip_port(List a, const TemplateContext&) {
  const auto pair = split_host_port(text(a, 0));
  return Value(pair ? std::string(pair->host) : text(a, 0));
}

bool is_address(const std::string& host) {
  unsigned char buffer[16];
  return inet_pton(AF_INET, host.c_str(), buffer) == 1 || inet_pton(AF_INET6, host.c_str(), buffer) == 1;
}

Answer strip_domain(List a, const TemplateContext&) {
  const auto pair = split_host_port(text(a, 0));
  const std::string host(pair ? pair->host : std::string_view(text(a, 0)));
  if (is_address(host)) return Value(text(a, 0));
  std::string name = host.substr(0, host.find('.'));
  if (!pair || pair->port.empty()) return Value(std::move(name));
  if (name.find(':') != std::string::npos) name = "[" + name + "]";
  return Value(name + ":" + std::string(pair->port));
}

using P = Parameter;
const Function kFunctions[] = {
    {"args", {P::any}, true, arguments},
    {"externalURL", {}, false, external_url},
    {"first", {P::items}, false, first},
    {"graphLink", {P::string}, false, graph_link},
    {"humanize", {P::any}, false, humanize},
    {"humanize1024", {P::any}, false, humanize1024},
    {"humanizeDuration", {P::any}, false, humanize_duration},
    {"humanizePercentage", {P::any}, false, humanize_percentage},
    {"humanizeTimestamp", {P::any}, false, humanize_timestamp},
    {"label", {P::string, P::item}, false, label},
    {"match", {P::string, P::string}, false, match},
    {"now", {}, false, now},
    {"parseDuration", {P::string}, false, parse_duration},
    {"pathPrefix", {}, false, path_prefix},
    {"query", {P::string}, false, query},
    {"reReplaceAll", {P::string, P::string, P::string}, false, replace},
    {"safeHtml", {P::string}, false, safe_html},
    {"sortByLabel", {P::string, P::items}, false, sort_by_label},
    {"stripDomain", {P::string}, false, strip_domain},
    {"stripPort", {P::string}, false, strip_port},
    {"strvalue", {P::item}, false, strvalue},
    {"tableLink", {P::string}, false, table_link},
    {"title", {P::string}, false, title},
    {"toDuration", {P::any}, false, to_duration},
    {"toLower", {P::string}, false, to_lower},
    {"toTime", {P::any}, false, to_time},
    {"toUpper", {P::string}, false, to_upper},
    {"urlQueryEscape", {P::string}, false, url_query_escape},
    {"value", {P::item}, false, value},
};

const Function kMessageFunctions[] = {
    {"join", {P::string, P::any}, false, join},
    {"match", {P::string, P::string}, false, match},
    {"reReplaceAll", {P::string, P::string, P::string}, false, replace},
    {"safeHtml", {P::string}, false, safe_html},
    {"stringSlice", {P::string}, true, string_slice},
    {"title", {P::string}, false, title},
    {"toLower", {P::string}, false, to_lower},
    {"toUpper", {P::string}, false, to_upper},
};

// Rules have had these since 3.6.
bool is_newer(std::string_view function) {
  return function == "now" || function == "toDuration" || function == "urlQueryEscape";
}

const Function* find_in(std::span<const Function> functions, std::string_view name) {
  for (const Function& f : functions)
    if (f.name == name) return &f;
  return nullptr;
}

}  // namespace

const Function* find_function(std::string_view name, Dialect dialect) {
  if (dialect == Dialect::rule_2 && is_newer(name)) return nullptr;
  if (const Function* found = find_in(builtin_functions(), name)) return found;
  return dialect == Dialect::message ? find_in(kMessageFunctions, name) : find_in(kFunctions, name);
}

std::string_view to_string(Parameter parameter) {
  switch (parameter) {
    case Parameter::any: return "interface {}";
    case Parameter::string: return "string";
    case Parameter::items: return "template.queryResult";
    case Parameter::item: return "*template.sample";
  }
  return "";
}

}  // namespace templates
