#include "promql/annotations.h"

#include <fmt/format.h>

#include <algorithm>

namespace promql {
namespace {

constexpr std::size_t kMostShown = 10;

std::string position(std::size_t begin, std::string_view query) {
  const std::string_view before = query.substr(0, begin);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t last_break = before.rfind('\n');
  return fmt::format("{}:{}", line, last_break == std::string_view::npos ? begin + 1 : begin - last_break);
}

void limit(std::vector<std::string>& list, std::string_view kind) {
  if (list.size() <= kMostShown) return;
  const std::size_t omitted = list.size() - kMostShown;
  list.resize(kMostShown);
  list.push_back(fmt::format("{} more {} annotations omitted", omitted, kind));
}

}  // namespace

Annotations format_annotations(const std::vector<Annotation>& annotations, std::string_view query) {
  Annotations out;
  for (const Annotation& annotation : annotations)
    (annotation.text.starts_with("PromQL info") ? out.infos : out.warnings)
        .push_back(fmt::format("{} ({})", annotation.text, position(std::min(annotation.begin, query.size()), query)));
  limit(out.warnings, "warning");
  limit(out.infos, "info");
  return out;
}

}  // namespace promql
