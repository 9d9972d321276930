#include <fmt/format.h>

#include <algorithm>

#include "base/percent.h"
#include "web/explain.h"
#include "web/pages/html.h"
#include "web/pages/parts.h"

namespace web {

std::string state_badge(std::string_view kind, std::string_view word) {
  return fmt::format(
      R"(<span class="st {0}"><svg class="g" viewBox="0 0 16 16" aria-hidden="true"><use href="#g-{0}"/></svg>{1}</span>)",
      kind, escape(word));
}

std::string_view kind_of(model::Health health) {
  switch (health) {
    case model::Health::up: return "up";
    case model::Health::down: return "down";
    case model::Health::unknown: break;
  }
  return "unknown";
}

std::string_view word_of(model::Health health) {
  switch (health) {
    case model::Health::up: return "Up";
    case model::Health::down: return "Down";
    case model::Health::unknown: break;
  }
  return "Unknown";
}

std::string ago(base::WallTime t, const Snapshot& snapshot) {
  if (t == base::WallTime{}) return "never";
  return fmt::format(R"(<time datetime="{}" data-ago="ago">{} ago</time>)", base::format_iso8601(t),
                     rough_duration(snapshot.at - t));
}

std::string for_time(base::WallTime since, const Snapshot& snapshot) {
  if (since == base::WallTime{}) return "";
  return fmt::format(R"(<time datetime="{}" data-ago="for">for {}</time>)", base::format_iso8601(since),
                     rough_duration(snapshot.at - since));
}

std::string precise_duration(double seconds) {
  if (seconds < 0.01) return fmt::format("{:.1f} ms", seconds * 1000);
  if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1000);
  if (seconds < 10) return fmt::format("{:.2f} s", seconds);
  return fmt::format("{:.0f} s", seconds);
}

std::string date_and_clock(std::int64_t ms) {
  std::string text = base::format_iso8601(base::wall_from_ms(ms)).substr(0, 19);
  text[10] = ' ';
  return text;
}

std::string service_href(std::string_view name, std::string_view root) {
  return fmt::format("{}services/{}", root, base::percent_encode(name));
}

std::string service_link(std::string_view name, std::string_view root) {
  return fmt::format(R"(<a href="{}">{}</a>)", service_href(name, root), escape(name));
}

std::string label_chips(const model::Labels& labels, const std::vector<std::string_view>& without) {
  std::string out;
  for (const model::Label label : labels)
    if (std::find(without.begin(), without.end(), label.name) == without.end())
      out += fmt::format(R"(<span class="chip"><b>{}</b> {}</span>)", escape(label.name), escape(label.value));
  return out;
}

std::string annotation_links(const model::Labels& annotations) {
  std::string out;
  for (const model::Label each : annotations) {
    if (!each.value.starts_with("https://") && !each.value.starts_with("http://")) continue;
    if (each.value.find_first_of(" \t\r\n") != std::string_view::npos) continue;  // a sentence that begins with one
    const std::string_view name = each.name.ends_with("_url") ? each.name.substr(0, each.name.size() - 4) : each.name;
    out += fmt::format(R"({}<a href="{}" rel="noreferrer">{}</a>)", out.empty() ? "" : " ", escape(each.value),
                       escape(name.empty() ? each.name : name));
  }
  return out;
}

}  // namespace web
