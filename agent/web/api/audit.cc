// The audit trail: who changed what, what recoveries did, which notifications were decided.
#include <fmt/format.h>

#include <algorithm>

#include "base/number.h"
#include "web/api/answer.h"
#include "web/routes.h"

namespace web {
namespace {

constexpr std::size_t kUsual = 100, kMost = 1'000;

void write_entry(const model::AuditEntry& entry, encoding::Json& json) {
  json.object([&] {
    json.key("number").integer(static_cast<std::int64_t>(entry.number));
    json.key("at").time(entry.at);
    json.key("atMs").integer(base::to_ms(entry.at));
    json.key("kind").string(to_string(entry.kind));
    json.key("by").string(entry.by);
    json.key("service").string(entry.service);
    json.key("text").string(entry.text);
    json.key("previous").string(entry.previous);
    json.key("hash").string(entry.hash);
  });
}

}  // namespace

Response api_audit(const Request& request, const Context& context) {
  const auto limit = limit_param(request);
  if (!limit) return invalid_parameter("limit", limit.error().text);
  AuditQuestion question{
      request.param("limit").empty() ? kUsual : std::min(*limit, kMost), {}, request.param("service")};
  if (const std::string before = request.param("before"); !before.empty()) {
    question.before = base::read_number<std::uint64_t>(before);
    if (!question.before)
      return invalid_parameter("before", fmt::format("expected the number of an entry, got \"{}\"", before));
  }
  const auto entries = context.backend.audit(question);
  if (!entries) return api_error(entries.error());
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      json.key("entries").array([&] {
        for (const model::AuditEntry& entry : *entries) write_entry(entry, json);
      });
    });
  });
}

}  // namespace web
