#include "web/drill_findings.h"

namespace web {

bool proved_nothing(const DrillPage& drill) {
  return !drill.result.empty() && drill.result != "verified" && drill.result != "interrupted";
}

std::vector<std::string> drill_findings(const ServicePage& service, const DrillPage* drill, base::WallTime now) {
  std::vector<std::string> out;
  if (drill == nullptr) {
    if (service.rpo || service.rto) out.emplace_back("no_drill");
    return out;
  }
  if (proved_nothing(*drill)) out.emplace_back("last_drill_failed");
  if (now > drill->must_be_proven_by) out.emplace_back("overdue");
  if (!drill->proof) {
    out.emplace_back("never_proven");
    return out;
  }
  const auto missed = [](const std::optional<base::Millis>& wanted, std::optional<double> measured) {
    return wanted && measured && *measured > base::seconds(*wanted);
  };
  if (missed(service.rpo, drill->proof->data_age_seconds)) out.emplace_back("rpo_missed");
  if (missed(service.rto, drill->proof->restore_seconds)) out.emplace_back("rto_missed");
  return out;
}

}  // namespace web
