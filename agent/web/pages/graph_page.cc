#include "web/pages/graph_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/percent.h"
#include "promql/value.h"
#include "web/api/answer.h"
#include "web/pages/frame.h"
#include "web/pages/html.h"
#include "web/pages/line_graphic.h"
#include "web/pages/measured.h"
#include "web/pages/parts.h"

namespace web {
namespace {

constexpr std::size_t kErrorsShown = 5;

std::string words_of(double value) {
  if (!std::isfinite(value)) return promql::format_value(value);
  return std::abs(value) < 1e6 ? fmt::format("{:.6g}", value) : fmt::format("{:.10g}", value);
}

std::string utc(std::int64_t ms) { return date_and_clock(ms) + " UTC"; }

// The line of the expression that the error is in, and below it a mark at the column.
std::string marked(std::string_view expression, const promql::ParseError& error) {
  for (std::size_t line = 1; line < error.line && expression.find('\n') != std::string_view::npos; ++line)
    expression.remove_prefix(expression.find('\n') + 1);
  const std::string_view line = expression.substr(0, expression.find('\n'));
  const std::string_view before = line.substr(0, std::min(line.size(), error.column - 1));
  // Columns are bytes; a character has one that does not begin with 10.
  const auto columns = std::count_if(before.begin(), before.end(),
                                     [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  std::string shown(line);
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c == '\t' || c == '\r'; }, ' ');
  return fmt::format("{}\n{:>{}}", escape(shown), "^", columns + 1);
}

std::string notice(std::string_view kind, const std::string& html) {
  return fmt::format(R"(<div class="notice {0}" role="alert">{1}<div>{2}</div></div>)", kind,
                     state_badge(kind, kind == "down" ? "Error" : "Warning"), html);
}

std::string notices_of(const GraphQuery& query) {
  std::string out;
  for (const std::string& mistake : query.mistakes) out += notice("down", "<p>" + escape(mistake) + "</p>");
  for (std::size_t i = 0; i < std::min(query.errors.size(), kErrorsShown); ++i)
    out += notice("down", fmt::format("<p>{}</p><pre>{}</pre>", escape(query.errors[i].to_string()),
                                      marked(query.expression, query.errors[i])));
  if (!query.trouble.empty()) out += notice("down", "<p>" + escape(query.trouble) + "</p>");
  if (query.value)
    for (const std::string& warning : query.value->warnings) out += notice("warn", "<p>" + escape(warning) + "</p>");
  return out;
}

std::string more_words(std::size_t series, std::size_t shown) {
  if (series <= shown) return "";
  return fmt::format(
      R"(<p class="empty more">The first {} of {} series are shown; a narrower expression has fewer.</p>)", shown,
      series);
}

std::string drawn(const promql::Matrix& matrix, const GraphQuery& query, const Snapshot& snapshot) {
  LineGraphic graphic{query.span.start, query.span.end, query.span.step, {}, "The values of the expression",
                      "Series",         words_of,       number_words};
  for (const promql::Series& series : matrix) {
    GraphicLine& line = graphic.lines.emplace_back(GraphicLine{series.labels.to_string(), {}});
    for (const model::Sample& sample : series.samples) line.samples.emplace_back(sample.t, sample.v);
  }
  const std::string out = line_graphic(graphic);
  if (!out.empty()) return out + more_words(query.value->series, matrix.size());
  return fmt::format(R"(<p class="empty">The result is empty: the expression has no value from {} to {}.{}</p>)",
                     utc(query.span.start), utc(query.span.end),
                     snapshot.retention > base::Millis{0}
                         ? fmt::format(" The store keeps {}, from the start of the agent on.",
                                       base::format_duration(snapshot.retention))
                         : "");
}

std::string row(const std::string& name, const std::string& value) {
  return fmt::format(R"(<tr><td class="mono">{}</td><td class="mono">{}</td></tr>)", escape(name), escape(value));
}

// Of what has no graph. A range vector shows its newest samples.
std::string rows(const promql::Value& value) {
  if (const auto* text = std::get_if<promql::StringValue>(&value)) return row("", text->v);
  std::string out;
  if (const auto* matrix = std::get_if<promql::Matrix>(&value))
    for (const promql::Series& series : *matrix)
      out += row(series.labels.to_string(), promql::format_value(series.samples.back().v));
  return out;
}

std::string result_of(const GraphQuery& query, const Snapshot& snapshot) {
  if (!query.value) return "";
  const promql::Value& value = query.value->value;
  const auto* matrix = std::get_if<promql::Matrix>(&value);
  if (query.span.step > 0 && matrix) return drawn(*matrix, query, snapshot);
  const std::string table = rows(value);
  const std::string lead =
      fmt::format(R"(<p>A {} has no graph; at {} it is:</p>)", matrix ? "range vector" : "string", utc(query.span.end));
  if (table.empty())
    return fmt::format(R"(<p class="empty">The result is empty: no series fits at {}.</p>)", utc(query.span.end));
  return lead +
         R"(<div class="wide"><table class="rules keep"><thead><tr><th scope="col">Series</th><th scope="col">Value</th>)"
         R"(</tr></thead><tbody>)" +
         table + "</tbody></table></div>" + more_words(query.value->series, matrix ? matrix->size() : 1);
}

std::string link(const GraphQuery& query, const std::string& range, const std::string& end, std::string_view words) {
  return fmt::format(R"(<a href="{}">{}</a> )", escape(graph_href(query.expression, range, "", end)), words);
}

// To the spans that the store has, and half a range back and forth.
std::string ranges_of(const GraphQuery& query, const Snapshot& snapshot) {
  if (query.expression.empty() || !query.mistakes.empty()) return "";
  std::string out = R"(<nav class="ranges" aria-label="Span of time">)";
  for (const auto& [words, length] : ranges_within(snapshot.retention))
    out += words == query.range ? fmt::format(R"(<b aria-current="true">{}</b> )", words)
                                : link(query, words, query.end, words);
  if (query.span.step == 0) return out + "</nav>";
  const std::int64_t half = (query.span.end - query.span.start) / 2;
  out += link(query, query.range, date_and_clock(query.span.end - half), "earlier");
  if (!query.end.empty()) {
    const bool past = query.span.end + half < base::to_ms(snapshot.at);
    if (past) out += link(query, query.range, date_and_clock(query.span.end + half), "later");
    out += link(query, query.range, "", "now");
  }
  return out + "</nav>";
}

std::string json_link(const GraphQuery& query) {
  if (!query.value) return "";
  const std::string expression = base::form_encode(query.expression);
  const std::string url =
      query.span.step == 0
          ? fmt::format("api/v1/query?query={}&time={}", expression, api_timestamp(query.span.end))
          : fmt::format("api/v1/query_range?query={}&start={}&end={}&step={}", expression,
                        api_timestamp(query.span.start), api_timestamp(query.span.end), api_timestamp(query.span.step));
  return fmt::format(R"(<a href="{}">this as JSON</a>)", escape(url));
}

}  // namespace

std::string graph_href(std::string_view expression, std::string_view range, std::string_view root,
                       std::string_view end) {
  std::string out = fmt::format("{}graph?g0.expr={}&g0.range_input={}", root, base::form_encode(expression),
                                base::form_encode(range));
  if (!end.empty()) out += "&g0.end_input=" + base::form_encode(end);
  return out;
}

std::string graph_page(const GraphQuery& query, const Snapshot& snapshot) {
  const Frame frame{"Query", "./", false};
  const std::string form = fmt::format(
      R"(<form method="get" action="graph"><p><label for="expr">Expression</label><textarea id="expr" name="g0.expr" rows="3" cols="80" )"
      R"(class="mono" spellcheck="false"{}>{}</textarea></p><p class="fields"><label>Range <input name="g0.range_input" value="{}" size="6">)"
      R"(</label> <label>End, of UTC <input name="g0.end_input" value="{}" size="19" placeholder="now"></label> <button>Draw</button></p></form>)",
      query.expression.empty() ? " autofocus" : "", escape(query.expression), escape(query.range), escape(query.end));
  return page_start(frame, snapshot) +
         fmt::format(R"(<section class="panel" id="query"><h2>Query</h2>{}{}</section>)", form,
                     ranges_of(query, snapshot)) +
         "\n" +
         fmt::format("<section class=\"panel\" id=\"result\">{}{}</section>\n", notices_of(query),
                     result_of(query, snapshot)) +
         page_end(frame, json_link(query));
}

}  // namespace web
