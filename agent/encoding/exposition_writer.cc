#include "encoding/exposition_writer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <iterator>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

#include "base/hash.h"
#include "encoding/shortest_number.h"
#include "model/sample.h"

namespace encoding {
namespace {

using model::MetricFamily;
using model::MetricType;

// A point where it lies: nothing of it is copied until it is text.
struct Point {
  std::string_view suffix;
  const model::Labels* labels;
  double value;
};

struct Family {
  std::string_view name, help;
  MetricType type = MetricType::gauge;
  std::vector<Point> points;
};

// The text in the making. Who writes a line asks for room once. Room is made in small steps within what is expected, so
// that no memory is touched before it is written to.
class Text {
 public:
  explicit Text(std::size_t expected) { out_.reserve(expected); }
  void room(std::size_t wanted) {
    if (out_.size() - at_ < wanted) out_.resize(at_ + wanted + kStep);
  }
  // Within the room.
  void put(std::string_view part) {
    if (!part.empty()) std::memcpy(out_.data() + at_, part.data(), part.size());
    at_ += part.size();
  }
  void put(char c) { out_[at_++] = c; }
  void put(double v) {
    if (std::isnan(v)) return put("NaN");
    if (std::isinf(v)) return put(v > 0 ? "+Inf" : "-Inf");
    at_ = static_cast<std::size_t>(write_shortest(out_.data() + at_, v) - out_.data());
  }
  // Anywhere.
  void add(std::string_view part) {
    room(part.size());
    put(part);
  }
  std::string take() {
    out_.resize(at_);
    return std::move(out_);
  }

 private:
  static constexpr std::size_t kStep = 1 << 15;
  std::string out_;  // beyond at_: room
  std::size_t at_ = 0;
};

bool valid_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ':';
  });
}

// In HELP the text format knows \\ and \n, OpenMetrics \" besides; label values have all three in both.
void write_escaped(std::string_view text, bool quotes, Text& out) {
  out.room(2 * text.size());
  for (const char c : text) {
    if (c == '\\') out.put("\\\\");
    else if (c == '\n') out.put("\\n");
    else if (c == '"' && quotes) out.put("\\\"");
    else out.put(c);
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
std::string shown_name(const Family& family, Exposition format) {
  std::string name(family.name);
  if (format == Exposition::text && family.type == MetricType::counter) name += "_total";
  if (format == Exposition::text && family.type == MetricType::info) name += "_info";
  return name;
}

// OpenMetrics wants le and quantile as floats in canonical form: "1.0", not "1".
std::string canonical(std::string_view number, Exposition format) {
  std::string text(number);
  if (format == Exposition::openmetrics && text.find_first_not_of("0123456789") == std::string::npos) text += ".0";
  return text;
}

// The label of a family's type that has a number as its value.
std::string_view number_label(MetricType type) {
  if (type == MetricType::histogram) return "le";
  return type == MetricType::summary ? "quantile" : "";
}

// Label by label: where a value is to be escaped, or may be written in another way.
void write_labels(const Family& family, const model::Labels& labels, Exposition format, Text& out) {
  bool first = true;
  for (const model::Label label : labels) {
    if (label.name == model::kMetricName) continue;
    out.add(first ? "{" : ",");
    first = false;
    out.add(label.name);
    out.add("=\"");
    if (label.name == number_label(family.type)) out.add(canonical(label.value, format));
    else write_escaped(label.value, true, out);
    out.add("\"");
  }
  if (!first) out.add("}");
}

void write_point(const Family& family, const Point& point, Exposition format, Text& out) {
  const auto labels = point.labels->page_text();
  const bool as_kept = labels && (format == Exposition::text || number_label(family.type).empty());
  constexpr std::size_t kAround = 4;  // braces, blank, end of line
  out.room(family.name.size() + point.suffix.size() + (as_kept ? labels->size() : 0) + kAround + kMostOfNumber);
  out.put(family.name);
  out.put(point.suffix);
  if (!as_kept) {
    write_labels(family, *point.labels, format, out);
    out.room(kAround + kMostOfNumber);
  } else if (!labels->empty()) {
    out.put('{');
    out.put(*labels);
    out.put('}');
  }
  out.put(' ');
  out.put(point.value);
  out.put('\n');
}

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

// Families that settled() made, and the names that it gave them.
struct MovedFamilies {
  std::deque<std::string> names;
  std::vector<Family> families;
};

// Families as they stand on one page, where a name has one type: of several that were said the first counts (the
// agent's own come first). Samples of another, and those of which nothing was said, go where their whole name belongs,
// or are of no type. No sample is lost, and nothing is copied where nobody disagrees, as on pages without a service's
// own metrics.
const std::vector<Family>& settled(const std::vector<Family>& families, MovedFamilies& out) {
  std::map<std::string_view, MetricType> types;
  bool agreed = true;
  for (const Family& family : families) {
    const bool said = family.type != MetricType::unknown;
    if (said && !family.points.empty()) types.emplace(family.name, family.type);
    const auto known = types.find(family.name);
    agreed = agreed && said && (known == types.end() || known->second == family.type);
  }
  if (agreed) return families;
  // A sample of a family's bare name that has no place in it takes the family's type away.
  std::set<std::string> whole_names;
  for (const Family& family : families)
    for (std::size_t i = 0; i < family.points.size(); ++i)
      if (i == 0 || family.points[i].suffix != family.points[i - 1].suffix)
        whole_names.insert(std::string(family.name) + std::string(family.points[i].suffix));
  std::erase_if(types, [&](const auto& each) {
    const auto suffixes = suffixes_of(each.second);
    return std::find(suffixes.begin(), suffixes.end(), "") == suffixes.end() &&
           whole_names.contains(std::string(each.first));
  });
  std::map<std::string, std::pair<std::string_view, std::string_view>> homes;  // family and suffix, by whole name
  for (const auto& [name, type] : types)
    for (const std::string_view suffix : suffixes_of(type))
      homes.emplace(std::string(name) + std::string(suffix), std::pair{name, suffix});
  for (const Family& family : families) {
    const auto said = types.find(family.name);
    if (family.type != MetricType::unknown && said != types.end() && said->second == family.type) {
      out.families.push_back(family);
      continue;
    }
    const Point* last = nullptr;  // points of one suffix stand together and go to one place
    std::string_view suffix;
    for (const Point& point : family.points) {
      if (last == nullptr || last->suffix != point.suffix) {
        std::string whole = std::string(family.name) + std::string(point.suffix);
        const auto home = homes.find(whole);
        suffix = home == homes.end() ? "" : home->second.second;
        if (home != homes.end())
          out.families.push_back({home->second.first, family.help, types.at(home->second.first), {}});
        else out.families.push_back({out.names.emplace_back(std::move(whole)), family.help, MetricType::unknown, {}});
      }
      last = &point;
      out.families.back().points.push_back({suffix, point.labels, point.value});
    }
  }
  return out.families;
}

// Finds out whether a series was there before: a table of places in the order of hashes, kept from family to family.
class SeenPoints {
 public:
  void begin(std::size_t points) {
    std::size_t size = 16;
    while (size < 2 * points) size *= 2;
    table_.assign(size, nullptr);
  }
  // `point` stays where it is until the next begin().
  bool insert(const Point& point) {
    const std::size_t mask = table_.size() - 1;
    for (std::size_t i = base::spread(point.labels->hash() + point.suffix.size()) & mask;; i = (i + 1) & mask) {
      const Point*& place = table_[i];
      if (place == nullptr) return place = &point, true;
      if (place->suffix == point.suffix && *place->labels == *point.labels) return false;
    }
  }

 private:
  std::vector<const Point*> table_;
};

// The points of several families of one name, each series once: Prometheus refuses a whole page for one duplicate.
void write_family(const std::vector<const Family*>& parts, Exposition format, SeenPoints& seen, Text& out) {
  const Family& first = *parts[0];
  const std::string name = shown_name(first, format);
  if (!first.help.empty()) {
    out.add("# HELP " + name + ' ');
    write_escaped(first.help, format == Exposition::openmetrics, out);
    out.add("\n");
  }
  out.add("# TYPE " + name + ' ');
  out.add(type_name(first.type, format));
  out.add("\n");
  std::size_t points = 0;
  for (const Family* part : parts) points += part->points.size();
  seen.begin(points);
  for (const Family* part : parts)
    for (const Point& point : part->points)
      if (seen.insert(point)) write_point(first, point, format, out);
}

// The series of all blocks by their families, sorted as those are. Blocks mostly have the same families in the same
// order: the place that the block before had for its i-th series is tried first.
void add_blocks(const std::vector<std::shared_ptr<const model::MetricBlock>>& blocks, std::vector<Family>& out) {
  std::unordered_map<const MetricFamily*, std::size_t> places;
  std::vector<std::pair<const MetricFamily*, std::size_t>> guesses;
  std::vector<Family> found;
  for (const auto& block : blocks) {
    const std::vector<model::MetricSeries>& all = *block->series;
    if (guesses.size() < all.size()) guesses.resize(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      const MetricFamily* const family = all[i].family.get();
      if (guesses[i].first != family) {
        const auto [at, is_new] = places.try_emplace(family, found.size());
        if (is_new) {
          found.push_back({family->name, family->help, family->type, {}});
          found.back().points.reserve(blocks.size());
        }
        guesses[i] = *at;
      }
      if (!model::is_stale(block->values[i]))
        found[guesses[i].second].points.push_back({all[i].suffix, &all[i].labels, block->values[i]});
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const Family& a, const Family& b) {
    return std::tie(a.name, a.type) < std::tie(b.name, b.type);
  });
  std::move(found.begin(), found.end(), std::back_inserter(out));
}

void add_families(const std::vector<MetricFamily>& families, std::vector<Family>& out) {
  for (const MetricFamily& family : families) {
    std::vector<Point>& points = out.emplace_back(Family{family.name, family.help, family.type, {}}).points;
    points.reserve(family.points.size());
    for (const model::MetricPoint& point : family.points) points.push_back({point.suffix, &point.labels, point.value});
  }
}

constexpr std::size_t kLongLabelsAndValue = 96;

std::string write_page(const std::vector<Family>& families, Exposition format) {
  std::map<std::pair<std::string_view, MetricType>, std::vector<const Family*>> by_name;
  MovedFamilies moved;
  for (const Family& family : settled(families, moved))
    if (valid_name(family.name) && !family.points.empty()) by_name[{family.name, family.type}].push_back(&family);
  std::size_t expected = 0;
  for (const auto& [name, parts] : by_name)
    for (const Family* part : parts) expected += part->points.size() * (name.first.size() + kLongLabelsAndValue);
  Text out(expected);
  SeenPoints seen;
  for (const auto& [name, parts] : by_name) write_family(parts, format, seen, out);
  if (format == Exposition::openmetrics) out.add("# EOF\n");
  return out.take();
}

}  // namespace

std::string_view content_type(Exposition format) {
  return format == Exposition::openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                           : "text/plain; version=0.0.4; charset=utf-8";
}

std::string expose(const model::MetricPage& first, const model::MetricPage& second, Exposition format) {
  std::vector<Family> all;
  for (const model::MetricPage* page : {&first, &second}) {
    add_families(page->families, all);
    add_blocks(page->blocks, all);
  }
  return write_page(all, format);
}

std::string expose(const std::vector<MetricFamily>& families, Exposition format) {
  std::vector<Family> all;
  add_families(families, all);
  return write_page(all, format);
}

}  // namespace encoding
