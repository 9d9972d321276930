// Expressions, parsed and evaluated with both dialects; expression_check.h says what must hold.
#include <string>

#include "fuzz/expression_check.h"
#include "fuzz/fuzz.h"
#include "promql/queryable.h"

void fuzz::one_input(std::string_view bytes) {
  static const promql::MemoryQueryable data = some_data();
  static ExpressionCheck v2(promql::Compat::v2);
  static ExpressionCheck v3(promql::Compat::v3);
  const std::string text(bytes);
  v2.text(text, data);
  v3.text(text, data);
  require(v2.wrong() + v3.wrong() == 0, "what expression_check.h says");
}
