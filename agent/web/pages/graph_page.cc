#include "web/pages/graph_page.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/percent.h"
#include "model/labels.h"
#include "web/pages/assets.h"
#include "web/pages/html.h"

namespace web {
namespace {

using nlohmann::json;

constexpr std::size_t kMostRows = 1000;

std::string name_of(const json& metric) {
  std::vector<model::Label> labels;
  for (const auto& [name, value] : metric.items()) labels.push_back({name, value.get_ref<const std::string&>()});
  return model::Labels(std::move(labels)).to_string();
}

std::string row(const std::string& name, const std::string& value) {
  return fmt::format(R"(<tr><td class="mono">{}</td><td class="mono">{}</td></tr>)", escape(name), escape(value));
}

// Of a range its newest samples are shown.
std::string rows(const json& data) {
  const std::string& type = data.at("resultType").get_ref<const std::string&>();
  const json& result = data.at("result");
  if (type == "scalar" || type == "string") return row(type, result.at(1).get<std::string>());
  std::string out;
  std::size_t shown = 0;
  for (const json& series : result) {
    if (shown++ == kMostRows) break;
    const json& sample = type == "matrix" ? series.at("values").back() : series.at("value");
    out += row(name_of(series.at("metric")), sample.at(1).get<std::string>());
  }
  if (result.size() > kMostRows) out += row(fmt::format("and {} more", result.size() - kMostRows), "");
  return out;
}

std::string result_part(const std::string& answer) {
  if (answer.empty()) return "";
  const json parsed = json::parse(answer, nullptr, false);
  if (!parsed.is_object()) return "<p>No answer.</p>";
  if (parsed.value("status", "") != "success")
    return fmt::format(R"(<div class="notice down" role="alert"><pre>{}</pre></div>)",
                       escape(parsed.value("error", "")));
  const std::string table = rows(parsed.at("data"));
  if (table.empty()) return "<p>The result is empty: no series fits now.</p>";
  return "<table><thead><tr><th>Series</th><th>Value</th></tr></thead><tbody>" + table + "</tbody></table>";
}

}  // namespace

std::string graph_page(const std::string& expression, const std::string& answer, const Snapshot& snapshot) {
  std::string out = fmt::format(
      R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Query · {0} · fettle</title>
<link rel="icon" href="assets/icon.svg?{1}"><link rel="stylesheet" href="assets/style.css?{2}"></head>
<body>
<header class="top"><h1><span>Query</span></h1><p class="live">as of {3}</p></header>
<main>
<section class="panel"><form method="get" action="graph"><p><textarea name="g0.expr" rows="3" cols="80" )"
      R"(aria-label="Expression">{4}</textarea></p><p><button>Evaluate</button></p></form>{5}</section>
</main>
<footer class="bottom"><nav aria-label="Machine-readable"><a href=".">all services</a> )",
      escape(snapshot.node), find_asset("icon.svg")->tag, find_asset("style.css")->tag,
      base::format_iso8601(snapshot.at), escape(expression), result_part(answer));
  if (!expression.empty())
    out += fmt::format(R"(<a href="api/v1/query?query={}">this as JSON</a>)", base::form_encode(expression));
  return out + "</nav></footer>\n</body></html>\n";
}

}  // namespace web
