// A query whose answer becomes measurements: {name: waiting, sql: "SELECT count(*) …", less_than: 1000}. The last
// column of each row is the value, the columns before it are labels.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/schema.h"
#include "model/outcome.h"
#include "probe/common/values.h"

namespace probe {

struct SqlQuery {
  std::string name;
  std::string sql;
  std::optional<double> less_than;
  std::optional<double> greater_than;
};
const config::Schema<SqlQuery>& sql_query_schema();
// Complains about names that stand twice.
void check_sql_queries(const std::vector<SqlQuery>& queries, const config::Complain& complain);

// Rows of one answer, as text; a NULL is nothing.
struct SqlAnswer {
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;
};
inline constexpr std::size_t kMostSqlRows = 100;

// Measures `measurement`{query=…, and a label per column but the last}. The sentence of what is wrong with the values,
// or "".
std::string measure_sql(const SqlQuery& query, const SqlAnswer& answer, const char* measurement, Measurements& out);

}  // namespace probe
