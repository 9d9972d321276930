// What must hold for any text that is parsed and evaluated: nothing crashes, what is refused has a reason, what parses
// prints to something that parses to the same print, and a range query gives at every step what an instant query gives
// at that time.
#pragma once

#include <string>

#include "promql/engine.h"
#include "promql/parser.h"

namespace fuzz {

// Twenty minutes of gauges, counters, a histogram and the oddest numbers there are; always the same.
promql::MemoryQueryable some_data();

class ExpressionCheck {
 public:
  explicit ExpressionCheck(promql::Compat compat);

  // What does not hold is printed to stderr.
  void text(const std::string& text, const promql::MemoryQueryable& data);

  int wrong() const { return wrong_; }

 private:
  void evaluate(const std::string& text, const promql::Expr& expr, const promql::MemoryQueryable& data);
  void complain(const std::string& text, const std::string& why);

  promql::Compat compat_;
  promql::Engine engine_;
  int wrong_ = 0;
};

}  // namespace fuzz
