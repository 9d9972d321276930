// Go templates of labels and annotations, executed with the data of an alert.
#include "fuzz/fuzz.h"
#include "promql/value.h"
#include "templates/template.h"

void fuzz::one_input(std::string_view bytes) {
  const auto parsed = templates::Template::parse("__alert_Fuzz", bytes);
  if (!parsed) return require(!parsed.error().text.empty(), "a refusal has a reason");
  templates::TemplateData data;
  data.labels = {{"service", "order"}, {"instance", "n1:10911"}};
  data.value = 12.5;
  templates::TemplateContext context{"http://n1:10911", 1'700'000'000'000,
                                     [](const std::string&) { return base::Result<promql::Vector>{}; }};
  const auto text = parsed->execute(data, context);
  if (!text) require(!text.error().text.empty(), "a failure has a reason");
  else require(text->size() <= templates::Template::kMaxOutput, "the output stays within its limit");
  parsed->expand(data, context);
}
