// On the page of a service: whether its plan may act by itself, and why.
#include <fmt/format.h>

#include "base/percent.h"
#include "web/pages/html.h"
#include "web/pages/parts.h"
#include "web/trust.h"

namespace web {
namespace {

std::string badge_of(model::TrustVerdict verdict) {
  switch (verdict) {
    case model::TrustVerdict::switch_on: return state_badge("up", "switch on");
    case model::TrustVerdict::wait: return state_badge("warn", "wait");
    case model::TrustVerdict::do_not: break;
  }
  return state_badge("down", "do not");
}

}  // namespace

std::string trust_part(const ServicePage& service, const Snapshot& snapshot) {
  const ServiceTrust of = trust_of(service, snapshot);
  std::string out = fmt::format("<p>{} {}.</p>", badge_of(of.trust.verdict), escape(of.trust.sentence));
  std::string reasons;
  for (const model::TrustReason& reason : of.trust.reasons)
    if (reason.weight == model::TrustWeight::wait || reason.weight == model::TrustWeight::against)
      reasons += "<li>" + escape(reason.text) + "</li>";
  if (!reasons.empty()) out += R"(<ul class="plain list">)" + reasons + "</ul>";
  for (const std::string& line : of.ledger.counterfactuals) out += R"(<p class="mut">)" + escape(line) + "</p>";
  return out + fmt::format(R"(<p class="more"><a href="../api/v1/trust/{}">all reasons and the ledger as JSON</a></p>)",
                           base::percent_encode(service.name));
}

}  // namespace web
