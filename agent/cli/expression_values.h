// The parts of an expression with what each found at one time, asked of a running agent; and why the whole found
// nothing.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "promql/ast.h"

namespace cli {

class ExpressionValues {
 public:
  // What an expression has at the time: the rows of a vector, the one of a scalar; of a range the newest values.
  struct Found {
    std::vector<std::pair<std::string, std::string>> rows;  // series, value
    std::string error;
    bool is_vector = false;
  };
  using Query = std::function<Found(const std::string& expr)>;

  explicit ExpressionValues(Query query) : query_(std::move(query)) {}

  const Found& of(const promql::Expr& expr);  // asked once
  // The whole and below it each part, indented.
  std::string tree(const promql::Expr& expr);
  // Sentences, one for each reason; for an expression that found nothing.
  std::vector<std::string> why_empty(const promql::Expr& expr);

 private:
  void add_tree(const promql::Expr& expr, std::size_t depth, std::string& out);

  Query query_;
  std::map<std::string, Found> found_;
  std::size_t shown_ = 0;
};

}  // namespace cli
