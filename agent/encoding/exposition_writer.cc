#include "encoding/exposition_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <unordered_set>

namespace encoding {
namespace {

using model::MetricFamily;
using model::MetricPoint;
using model::MetricType;

bool valid_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ':';
  });
}

void write_number(double v, std::string& out) {
  if (std::isnan(v)) out += "NaN";
  else if (std::isinf(v)) out += v > 0 ? "+Inf" : "-Inf";
  else {
    std::array<char, 32> text{};
    out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), v).ptr);
  }
}

// In HELP the text format knows \\ and \n, OpenMetrics \" besides; label values have all three in both.
void write_escaped(std::string_view text, bool quotes, std::string& out) {
  for (const char c : text) {
    if (c == '\\') out += "\\\\";
    else if (c == '\n') out += "\\n";
    else if (c == '"' && quotes) out += "\\\"";
    else out += c;
  }
}

std::string_view type_name(MetricType type, Exposition format) {
  switch (type) {
    case MetricType::counter: return "counter";
    case MetricType::histogram: return "histogram";
    case MetricType::summary: return "summary";
    case MetricType::gauge: return "gauge";
    case MetricType::info: return format == Exposition::openmetrics ? "info" : "gauge";
    case MetricType::unknown: return format == Exposition::openmetrics ? "unknown" : "untyped";
  }
  return "untyped";
}

// The text format names counters and infos as their samples are named; OpenMetrics leaves the suffix off.
std::string shown_name(const MetricFamily& family, Exposition format) {
  if (format == Exposition::text && family.type == MetricType::counter) return family.name + "_total";
  if (format == Exposition::text && family.type == MetricType::info) return family.name + "_info";
  return family.name;
}

// OpenMetrics wants le and quantile as floats in canonical form: "1.0", not "1".
std::string canonical(std::string_view number, Exposition format) {
  std::string text(number);
  if (format == Exposition::openmetrics && text.find_first_not_of("0123456789") == std::string::npos) text += ".0";
  return text;
}

void write_point(const MetricFamily& family, const MetricPoint& point, Exposition format, std::string& out) {
  out += family.name;
  out += point.suffix;
  bool first = true;
  for (const model::Label label : point.labels) {
    if (label.name == model::kMetricName) continue;
    out += first ? '{' : ',';
    first = false;
    out += label.name;
    out += "=\"";
    const bool number = (family.type == MetricType::histogram && label.name == "le") ||
                        (family.type == MetricType::summary && label.name == "quantile");
    if (number) out += canonical(label.value, format);
    else write_escaped(label.value, true, out);
    out += '"';
  }
  if (!first) out += '}';
  out += ' ';
  write_number(point.value, out);
  out += '\n';
}

void write_family(const MetricFamily& family, Exposition format, std::string& out) {
  const std::string name = shown_name(family, format);
  if (!family.help.empty()) {
    out += "# HELP " + name + ' ';
    write_escaped(family.help, format == Exposition::openmetrics, out);
    out += '\n';
  }
  out += "# TYPE " + name + ' ';
  out += type_name(family.type, format);
  out += '\n';
  for (const MetricPoint& point : family.points) write_point(family, point, format, out);
}

struct SeriesHash {
  std::size_t operator()(const std::pair<std::string_view, model::Labels>& key) const {
    return key.second.hash() ^ std::hash<std::string_view>{}(key.first);
  }
};

// The suffixes that samples of a family of that type have.
std::vector<std::string_view> suffixes_of(MetricType type) {
  switch (type) {
    case MetricType::counter: return {"_total"};
    case MetricType::info: return {"_info"};
    case MetricType::histogram: return {"_bucket", "_sum", "_count"};
    case MetricType::summary: return {"", "_sum", "_count"};
    default: return {""};
  }
}

// Families as they stand on one page, where a name has one type: of several that were said the first counts (the
// agent's own come first). Samples of another, and those of which nothing was said, go where their whole name belongs,
// or are of no type. No sample is lost, and nothing is copied where nobody disagrees, as on pages without a service's
// own metrics.
const std::vector<MetricFamily>& settled(const std::vector<MetricFamily>& families, std::vector<MetricFamily>& out) {
  std::map<std::string_view, MetricType> types;
  bool agreed = true;
  for (const MetricFamily& family : families) {
    const bool said = family.type != MetricType::unknown;
    if (said && !family.points.empty()) types.emplace(family.name, family.type);
    const auto known = types.find(family.name);
    agreed = agreed && said && (known == types.end() || known->second == family.type);
  }
  if (agreed) return families;
  // A sample of a family's bare name that has no place in it takes the family's type away.
  std::set<std::string> whole_names;
  for (const MetricFamily& family : families)
    for (const MetricPoint& point : family.points) whole_names.insert(family.name + point.suffix);
  std::erase_if(types, [&](const auto& each) {
    const auto suffixes = suffixes_of(each.second);
    return std::find(suffixes.begin(), suffixes.end(), "") == suffixes.end() &&
           whole_names.contains(std::string(each.first));
  });
  std::map<std::string, std::pair<std::string_view, std::string_view>> homes;  // family and suffix, by whole name
  for (const auto& [name, type] : types)
    for (const std::string_view suffix : suffixes_of(type))
      homes.emplace(std::string(name) + std::string(suffix), std::pair{name, suffix});
  for (const MetricFamily& family : families) {
    const auto said = types.find(family.name);
    if (family.type != MetricType::unknown && said != types.end() && said->second == family.type) {
      out.push_back(family);
      continue;
    }
    for (const MetricPoint& point : family.points) {
      const std::string whole = family.name + point.suffix;
      const auto home = homes.find(whole);
      const std::string name = home == homes.end() ? whole : std::string(home->second.first);
      const MetricType type = home == homes.end() ? MetricType::unknown : types.at(home->second.first);
      if (out.empty() || out.back().name != name || out.back().type != type)
        out.push_back({name, family.help, type, {}});
      out.back().points.push_back(
          {home == homes.end() ? "" : std::string(home->second.second), point.labels, point.value});
    }
  }
  return out;
}

// The points of several families of one name, each series once: Prometheus refuses a whole page for one duplicate.
MetricFamily merged(const std::vector<const MetricFamily*>& parts) {
  MetricFamily out{parts[0]->name, parts[0]->help, parts[0]->type, {}};
  std::unordered_set<std::pair<std::string_view, model::Labels>, SeriesHash> seen;
  for (const MetricFamily* part : parts) {
    for (const MetricPoint& point : part->points)
      if (seen.emplace(point.suffix, point.labels).second) out.points.push_back(point);
  }
  return out;
}

}  // namespace

std::string_view content_type(Exposition format) {
  return format == Exposition::openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                           : "text/plain; version=0.0.4; charset=utf-8";
}

std::string expose(const std::vector<MetricFamily>& families, Exposition format) {
  std::map<std::pair<std::string, MetricType>, std::vector<const MetricFamily*>> by_name;
  std::vector<MetricFamily> moved;
  for (const MetricFamily& family : settled(families, moved))
    if (valid_name(family.name) && !family.points.empty()) by_name[{family.name, family.type}].push_back(&family);
  std::string out;
  for (const auto& [name, parts] : by_name) write_family(merged(parts), format, out);
  if (format == Exposition::openmetrics) out += "# EOF\n";
  return out;
}

}  // namespace encoding
