#include "promql/remarks.h"

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

Remarks shown(const std::vector<Remark>& remarks, std::string_view query) {
  Remarks out;
  for (const Remark& remark : remarks)
    (remark.text.starts_with("PromQL info") ? out.infos : out.warnings)
        .push_back(fmt::format("{} ({})", remark.text, position(std::min(remark.begin, query.size()), query)));
  limit(out.warnings, "warning");
  limit(out.infos, "info");
  return out;
}

}  // namespace promql
