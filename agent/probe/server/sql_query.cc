#include "probe/server/sql_query.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <set>
#include <utility>

#include "base/number.h"
#include "base/text.h"

namespace probe {
namespace {

std::optional<double> number(const std::string& text) {
  if (text == "t" || text == "true") return 1;
  if (text == "f" || text == "false") return 0;
  return base::read_number<double>(text);
}

// A column's name as a label: what is no letter, digit or _ becomes _.
std::string label_of(const std::string& column) {
  std::string label;
  for (const char c : column) label += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  if (label.empty() || std::isdigit(static_cast<unsigned char>(label[0]))) label = "_" + label;
  return label == "query" || label == "service" || label == "probe" ? "column_" + label : label;
}

std::string in_words(double value) {
  char text[32];
  const auto [end, error] = std::to_chars(std::begin(text), std::end(text), value);
  return {text, end};
}

}  // namespace

const config::Schema<SqlQuery>& sql_query_schema() {
  static const auto schema =
      config::Schema<SqlQuery>("query")
          .required("name", &SqlQuery::name, "Name of the query; the label `query` of its values.")
          .required("sql", &SqlQuery::sql,
                    "One statement that only reads. The last column of each row is a number, those before it are "
                    "labels; at most 100 rows.")
          .optional("less_than", &SqlQuery::less_than, "Every value must be below this one.")
          .optional("greater_than", &SqlQuery::greater_than, "Every value must be above this one.")
          .check([](const SqlQuery& query, const config::Complain& complain) {
            if (query.name.empty()) complain("name", "must not be empty");
            if (query.sql.empty()) complain("sql", "must not be empty");
          });
  return schema;
}

void check_sql_queries(const std::vector<SqlQuery>& queries, const config::Complain& complain) {
  std::set<std::string> names;
  for (const SqlQuery& query : queries)
    if (!names.insert(query.name).second) complain("queries", "there are two queries called '" + query.name + "'");
}

std::string measure_sql(const SqlQuery& query, const SqlAnswer& answer, const char* measurement, Measurements& out) {
  const std::string whose = "query " + query.name;
  if (answer.columns.empty()) return whose + " gave no columns; it must be a statement that reads";
  if (answer.rows.size() > kMostSqlRows)
    return whose + " gave more than " + std::to_string(kMostSqlRows) + " rows; let it count or limit them";
  std::string wrong;
  for (const auto& row : answer.rows) {
    if (row.size() != answer.columns.size()) return whose + " gave a broken row";
    if (!row.back()) continue;  // NULL is no number, and nothing wrong: an average of no rows
    const auto value = number(*row.back());
    if (!value) return whose + " gave " + base::shown(*row.back()) + " in its last column, which is no number";
    std::vector<std::string> names;
    names.reserve(row.size());
    std::vector<model::Label> labels{{"query", query.name}};
    for (std::size_t i = 0; i + 1 < row.size(); ++i)
      labels.push_back({names.emplace_back(label_of(answer.columns[i])), row[i] ? std::string_view(*row[i]) : ""});
    out.push_back({measurement, *value, model::Labels(std::move(labels))});
    const std::string is = whose + " is " + in_words(*value);
    if (!wrong.empty()) continue;
    if (query.less_than && !(*value < *query.less_than)) wrong = is + ", not less than " + in_words(*query.less_than);
    if (query.greater_than && !(*value > *query.greater_than))
      wrong = is + ", not greater than " + in_words(*query.greater_than);
  }
  return wrong;
}

}  // namespace probe
