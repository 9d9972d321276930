#include "notify/fields.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace notify {

std::string dump_json(const nlohmann::ordered_json& value) {
  const std::string plain = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::string out;
  out.reserve(plain.size());
  for (const char c : plain) {  // these three stand only inside strings
    if (c == '<') out += "\\u003c";
    else if (c == '>') out += "\\u003e";
    else if (c == '&') out += "\\u0026";
    else out += c;
  }
  return out;
}

base::WallTime starts_at(const model::Alert& alert) { return alert.fired_at.value_or(alert.active_at); }

model::Labels outward_labels(const model::Alert& alert, const model::Labels& external) {
  return external.merged(alert.labels);
}

model::Labels common_labels(const std::vector<model::Labels>& sets) {
  std::vector<model::Label> out;
  if (sets.empty()) return {};
  for (const model::Label label : sets.front())
    if (std::all_of(sets.begin(), sets.end(), [&](const auto& set) { return set.get(label.name) == label.value; }))
      out.push_back(label);
  return model::Labels(std::move(out));
}

std::string origin_and_path(std::string_view url) {
  const std::string_view bare = url.substr(0, url.find_first_of("?#"));
  const std::size_t scheme = bare.find("://");
  if (scheme == std::string_view::npos) return "";
  const std::string_view rest = bare.substr(scheme + 3);
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::size_t user = rest.substr(0, slash).rfind('@');
  return std::string(bare.substr(0, scheme + 3)) +
         std::string(user == std::string_view::npos ? rest : rest.substr(user + 1));
}

std::string origin(std::string_view url) {
  const std::string shown = origin_and_path(url);
  const std::size_t scheme = shown.find("://");
  return scheme == std::string::npos ? shown : shown.substr(0, shown.find('/', scheme + 3));
}

std::string rfc3339_milliseconds(base::WallTime t) {
  std::string out = base::format_iso8601(t);
  if (out.find('.') == std::string::npos) out.insert(out.size() - 1, ".000");
  return out;
}

std::string rfc3339_shortest(base::WallTime t) {
  std::string out = base::format_iso8601(t);
  if (out.find('.') == std::string::npos) return out;
  out.pop_back();
  while (out.back() == '0') out.pop_back();
  return out + 'Z';
}

}  // namespace notify
