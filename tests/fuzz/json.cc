// JSON that services answer, and what probes look for in it.
#include "fuzz/fuzz.h"
#include "probe/http/json_check.h"

void fuzz::one_input(std::string_view bytes) {
  const auto whole = probe::find_json("$", bytes);
  if (!whole) require(!whole.error().text.empty(), "a refusal has a reason");
  const auto parts = probe::find_all_json({"status", "queue.depth", "checks[0].name", "[1]"}, bytes);
  require(parts.has_value() == whole.has_value(), "a document is one, whatever is looked for");
}
