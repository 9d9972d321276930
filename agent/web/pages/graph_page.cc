#include "web/pages/graph_page.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/percent.h"
#include "model/labels.h"
#include "web/pages/frame.h"
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
  return R"(<div class="wide"><table class="rules keep"><thead><tr><th scope="col">Series</th><th scope="col">Value</th>)"
         R"(</tr></thead><tbody>)" +
         table + "</tbody></table></div>";
}

}  // namespace

std::string graph_page(const std::string& expression, const std::string& answer, const Snapshot& snapshot) {
  const Frame frame{"Query", "./", false};
  const std::string link = expression.empty() ? ""
                                              : fmt::format(R"(<a href="api/v1/query?query={}">this as JSON</a>)",
                                                            base::form_encode(expression));
  return page_start(frame, snapshot) +
         fmt::format(R"(<section class="panel" id="query"><h2>Query</h2><form method="get" action="graph">)"
                     R"(<p><textarea name="g0.expr" rows="3" cols="80" aria-label="Expression">{}</textarea></p>)"
                     R"(<p><button>Evaluate</button></p></form>{}</section>)",
                     escape(expression), result_part(answer)) +
         "\n" + page_end(frame, link);
}

}  // namespace web
