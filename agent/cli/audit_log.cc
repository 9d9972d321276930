#include "cli/audit_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "base/percent.h"
#include "base/terminal.h"
#include "base/text.h"
#include "cli/answer.h"
#include "cli/client.h"
#include "cli/exit_code.h"
#include "cli/table.h"
#include "crypto/digest.h"
#include "model/audit.h"

namespace cli {
namespace {

constexpr std::size_t kPage = 1'000;

model::AuditEntry entry_of(const Json& in) {
  model::AuditEntry entry;
  entry.number = in.at("number").get<std::uint64_t>();
  entry.at = base::wall_from_ms(in.at("atMs").get<std::int64_t>());
  const auto kind = model::parse_audit_kind(text_of(in, "kind"));
  if (!kind) throw WrongAnswer();
  entry.kind = *kind;
  entry.by = text_of(in, "by");
  entry.service = text_of(in, "service");
  entry.text = text_of(in, "text");
  entry.previous = text_of(in, "previous");
  entry.hash = text_of(in, "hash");
  return entry;
}

struct Trail {
  std::vector<model::AuditEntry> entries;  // oldest first
  Json list = Json::array();               // as the agent gave them
};

// The pages of the API, the newest first.
base::Result<Trail> read_trail(const StatusOptions& options, const std::string& service, std::size_t last) {
  Trail trail;
  std::string before;
  for (;;) {
    const std::size_t wanted = last == 0 ? kPage : std::min(kPage, last - trail.entries.size());
    TRY(const std::string body, get(options.agent, fmt::format("/api/v1/audit?limit={}&before={}&service={}", wanted,
                                                               before, base::percent_encode(service))));
    std::vector<model::AuditEntry> page;
    Json older = Json::array();
    const Json data = data_in(body);
    for (const Json& each : list_of(data, "entries")) {
      page.push_back(entry_of(each));
      older.push_back(each);
    }
    if (page.empty()) return trail;
    before = fmt::format("{}", page.front().number);
    const bool end = page.size() < wanted;
    std::move(trail.entries.begin(), trail.entries.end(), std::back_inserter(page));
    trail.entries = std::move(page);
    for (const Json& each : trail.list) older.push_back(each);
    trail.list = std::move(older);
    if (end || trail.entries.size() == last) return trail;
  }
}

void show(const Trail& trail) {
  Table table({"NUMBER", "AT", "KIND", "BY", "SERVICE", "WHAT"});
  for (const model::AuditEntry& entry : trail.entries)
    table.add({fmt::format("{}", entry.number), base::format_iso8601(entry.at), std::string(to_string(entry.kind)),
               base::foreign_text(entry.by, std::string::npos), base::foreign_text(entry.service, std::string::npos),
               base::foreign_text(entry.text, std::string::npos)});
  base::print(stdout, "{}", trail.entries.empty() ? "nothing was done yet\n" : table.render(colour_of_stdout()));
}

}  // namespace

int run_audit_log(const StatusOptions& options, const std::string& service, std::size_t last) {
  const auto trail = read_answer(options.agent.shown(), [&] { return read_trail(options, service, last); });
  if (!trail) {
    base::print(stderr, "fettle: {}\n", trail.error().text);
    return exit_code_of(trail.error());
  }
  if (options.json) base::print(stdout, "{}\n", trail->list.dump());
  else show(*trail);
  if (!service.empty()) return 0;
  const std::string mistake =
      model::audit_mistake(trail->entries, [](std::string_view text) { return crypto::hex(crypto::sha256(text)); });
  if (!mistake.empty()) {
    base::print(stderr, "fettle: the audit trail is not as it was written: {}\n", mistake);
    return 1;
  }
  if (!options.json && !trail->entries.empty())
    base::print(stdout, "the chain of these {} entries is whole; hash of the last one: {}\n", trail->entries.size(),
                trail->entries.back().hash);
  return 0;
}

}  // namespace cli
