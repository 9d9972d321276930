#include <fmt/format.h>

#include <algorithm>

#include "model/annotations.h"
#include "web/explain.h"
#include "web/pages/html.h"
#include "web/pages/parts.h"

namespace web {
namespace {

using model::ActionStatus;
using model::RecoveryState;

constexpr std::size_t kRecoveriesShown = 12;
constexpr std::size_t kAlertsShown = 30;
// After a start the first runs of all probes have to come in before "no series" means anything.
constexpr base::Millis kPatience{60'000};

std::string_view kind_of_recovery(const model::RecoveryReport& report) {
  switch (report.state) {
    case RecoveryState::recovered: return "up";
    case RecoveryState::failed:
    case RecoveryState::exhausted: return "down";
    case RecoveryState::blocked:
    case RecoveryState::aborted: return "warn";
    default: return report.ended ? "calm" : "busy";
  }
}

std::string_view kind_of_result(ActionStatus result) {
  switch (result) {
    case ActionStatus::ok: return "up";
    case ActionStatus::failed:
    case ActionStatus::timeout: return "down";
    case ActionStatus::refused: return "warn";
    case ActionStatus::none: return "busy";
    case ActionStatus::would_run: break;
  }
  return "calm";
}

// For a person: of what goes on there is no word yet.
std::string_view words_of(std::string_view word) {
  if (word.empty()) return "running";
  return word == to_string(ActionStatus::would_run) ? "would run" : word;
}

std::string step(const model::ActionReport& action, const model::RecoveryReport& report) {
  return fmt::format(
      R"(<li>{} <b>{}</b> <span class="say">{}</span> <span class="mut num">at +{} · took {}</span></li>)",
      state_badge(kind_of_result(action.result), words_of(to_string(action.result))), escape(action.action),
      escape(action.text), precise_duration(base::seconds(action.started - report.started)),
      precise_duration(base::seconds(action.took)));
}

std::string recovery_item(const model::RecoveryReport& report, const Snapshot& snapshot) {
  std::string out =
      fmt::format(R"(<li class="recovery"><p>{} <b>{}</b> <span class="mut">by</span> {} )"
                  R"(<span class="chip mode-{}"><b>mode</b> {}</span> <span class="chip"><b>attempt</b> {}</span> {})",
                  state_badge(kind_of_recovery(report), words_of(to_string(report.state))),
                  service_link(report.service, ""), escape(report.trigger), to_string(report.mode),
                  to_string(report.mode), report.attempt, ago(report.started, snapshot));
  if (report.ended)
    out += fmt::format(R"( <span class="mut">done in {}</span>)",
                       precise_duration(base::seconds(*report.ended - report.started)));
  out += "</p>";
  if (!report.reason.empty())
    out += fmt::format(R"(<p class="why">{} <b class="reason">{}</b></p>)",
                       report.state == RecoveryState::aborted ? "Stopped:" : "Blocked by guard", escape(report.reason));
  if (!report.actions.empty()) {
    out += R"(<ol class="steps">)";
    for (const model::ActionReport& action : report.actions) out += step(action, report);
    out += "</ol>";
  }
  return out + "</li>";
}

// Those that hold or will hold, below the alerts that they keep from receivers.
std::string silences_list(const Snapshot& snapshot) {
  std::string items;
  for (const model::Silence& silence : snapshot.silences) {
    const model::SilenceState state = silence.state(snapshot.at);
    if (state == model::SilenceState::expired) continue;
    const bool active = state == model::SilenceState::active;
    const base::WallTime edge = active ? silence.ends_at : silence.starts_at;
    items += fmt::format(
        R"(<li><p>{} <span class="mono">{}</span> <span class="mut">{} {}</span></p><p class="say">{}{}{}</p></li>)",
        state_badge("calm", active ? "Silence" : "Silence to come"), escape(model::to_string(silence.matchers)),
        active ? "until" : "from", base::format_iso8601(std::chrono::floor<std::chrono::seconds>(edge)),
        escape(silence.author), silence.author.empty() ? "" : ": ", escape(silence.comment));
  }
  return items.empty() ? "" : R"(<ul class="list">)" + items + "</ul>";
}

// Rules that cost: a group that needs a tenth of its interval will miss evaluations when the node is busy.
std::string cost_of(const RuleGroupPage& group) {
  std::string out = precise_duration(group.evaluation_seconds);
  const double share = group.evaluation_seconds / std::max(0.001, base::seconds(group.interval));
  if (share >= 0.1) out += " " + state_badge("warn", fmt::format("{:.0f} % of its interval", share * 100));
  const auto slowest = std::max_element(
      group.rules.begin(), group.rules.end(),
      [](const RulePage& a, const RulePage& b) { return a.evaluation_seconds < b.evaluation_seconds; });
  if (group.rules.size() > 1 && slowest->evaluation_seconds > 0)
    out += fmt::format(R"(<br><span class="mut">most in {}: {}</span>)", escape(slowest->name),
                       precise_duration(slowest->evaluation_seconds));
  return out;
}

// A rule that never matches looks healthy and never fires.
std::string unmatched_rules(const RuleGroupPage& group, const Snapshot& snapshot) {
  std::string out;
  for (const RulePage& rule : group.rules)
    if (rule.unmatched_since && snapshot.at - *rule.unmatched_since >= kPatience)
      out += fmt::format(R"(<p class="why"><b class="reason">{}</b> no series matches, {}</p>)", escape(rule.name),
                         for_time(*rule.unmatched_since, snapshot));
  return out;
}

}  // namespace

std::string heading(std::string_view text, std::size_t count) {
  return fmt::format("<h2>{} <small>{}</small></h2>", escape(text), count);
}

std::string newest_part(const NewestList& list, std::size_t count,
                        const std::function<std::string(std::size_t)>& item) {
  std::string out = heading(list.title, count);
  if (count == 0) return out + fmt::format(R"(<p class="empty">{}</p>)", list.without_items);
  out += R"(<ul class="list">)";
  const std::size_t shown = std::min(list.most, count);
  for (std::size_t i = 0; i < shown; ++i) out += item(i);
  out += "</ul>";
  if (shown < count)
    out += fmt::format(R"(<p class="mut"><a href="{}">{} earlier ones</a></p>)", escape(list.link), count - shown);
  return out;
}

std::string notices_part(const Snapshot& snapshot) {
  std::string out;
  if (!snapshot.config.last_reload_ok)
    out += fmt::format(
        R"(<div class="notice down" role="alert">{}<div><b>The last configuration was refused; the one before it )"
        R"(goes on.</b> Mend this and reload:<pre>{}</pre></div></div>)",
        state_badge("down", "Bad configuration"), escape(snapshot.config.last_reload_error));
  if (!snapshot.config.left_out.empty())
    out += fmt::format(
        R"(<div class="notice down" role="alert">{}<div><b>Services, receivers and files with mistakes were left out at )"
        R"(the start.</b> Mend this and reload:<pre>{}</pre></div></div>)",
        state_badge("down", "Bad configuration"), escape(snapshot.config.left_out));
  if (!snapshot.paused.empty())
    out += fmt::format(
        R"(<div class="notice warn" role="alert">{}<div><b>No recovery begins on this node.</b> {}.</div></div>)",
        state_badge("warn", "Paused"), escape(snapshot.paused));
  for (const std::string& key : snapshot.config.waiting_for_restart)
    out += fmt::format(R"(<div class="notice warn" role="alert">{}<div><b>{} was changed, and the new value counts )"
                       R"(after a restart.</b></div></div>)",
                       state_badge("warn", "Restart needed"), escape(key));
  for (const BrokenSource& source : snapshot.config.broken_sources)
    out += fmt::format(R"(<div class="notice down" role="alert">{}<div><b>A source of targets cannot be used as it )"
                       R"(is{}: a target that is refused is left out, and a source that cannot be read goes on with )"
                       R"(what it said before.</b><pre>{}</pre></div></div>)",
                       state_badge("down", "Bad targets"), source.since ? ", " + for_time(*source.since, snapshot) : "",
                       escape(source.mistakes));
  if (!snapshot.state_trouble.empty())
    out += fmt::format(
        R"(<div class="notice down" role="alert">{}<div><b>Alerts, budgets, silences and notifications do )"
        R"(not become durable; recoveries are few: one an hour for each service.</b><pre>{}</pre></div></div>)",
        state_badge("down", "State not durable"), escape(snapshot.state_trouble));
  if (snapshot.damaged_state_files > 0)
    out += fmt::format(
        R"(<div class="notice down" role="alert">{}<div><b>The state was damaged and was moved aside: alert states, )"
        R"(budgets, silences and waiting notifications of before are lost.</b> {} such file{} in the state folder, )"
        R"(fettle.db.damaged-TIME. Check the disk, add silences again, then move the file away.</div></div>)",
        state_badge("down", "State damaged"), snapshot.damaged_state_files,
        snapshot.damaged_state_files == 1 ? " lies" : "s lie");
  for (const std::string& trouble : snapshot.traffic_troubles)
    out += fmt::format(R"(<div class="notice down" role="alert">{}<div><b>A service cannot be drained there.</b>)"
                       R"(<pre>{}</pre></div></div>)",
                       state_badge("down", "Traffic"), escape(trouble));
  for (const std::string& trouble : snapshot.store_troubles)
    out += fmt::format(R"(<div class="notice down" role="alert">{}<div><b>{}</b></div></div>)",
                       state_badge("down", "Store"), escape(trouble));
  // As the package installs it, or without any service.
  const bool watches_itself_only = std::all_of(snapshot.services.begin(), snapshot.services.end(),
                                               [](const ServicePage& each) { return each.name == "fettle"; });
  if (snapshot.ready && watches_itself_only)
    out += fmt::format(
        R"(<div class="notice unknown">{}<div><b>No service of yours is watched yet.</b> On the node, )"
        R"(<code>sudo fettle init --force</code> writes a first {} from what runs there, with all plans in dry run; )"
        R"(<code>sudo systemctl reload fettle</code> loads it.</div></div>)",
        state_badge("unknown", "First steps"), escape(snapshot.config.file));
  if (!snapshot.ready)
    out += fmt::format(R"(<div class="notice unknown">{}<div>The agent has just started: it looks before it acts.)"
                       R"(</div></div>)",
                       state_badge("unknown", "Starting"));
  return out;
}

std::string alerts_part(const Snapshot& snapshot) {
  std::string out = heading("Alerts", snapshot.alerts.size());
  if (snapshot.alerts.empty())
    return out + R"(<p class="empty">Nothing is firing, nothing is pending.</p>)" + silences_list(snapshot);
  std::vector<const model::Alert*> sorted;
  for (const model::Alert& alert : snapshot.alerts) sorted.push_back(&alert);
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->state > b->state; });
  out += R"(<ul class="list">)";
  for (std::size_t i = 0; i < std::min(sorted.size(), kAlertsShown); ++i) {
    const model::Alert* alert = sorted[i];
    const bool firing = alert->state == model::AlertState::firing;
    out += fmt::format(R"(<li><p>{} <b>{}</b> <span class="mut">{}</span> {}</p>)",
                       state_badge(firing ? "down" : "warn", firing ? "Firing" : "Pending"), escape(alert->name()),
                       for_time(alert->active_at, snapshot), label_chips(alert->labels, {"alertname"}));
    if (snapshot.silenced_by.contains(alert->labels))
      out += R"(<p class="why"><b class="reason">Silenced</b> no receiver hears of it; recovery goes on</p>)";
    if (const std::string text = escape(model::summary_of(alert->annotations)); !text.empty())
      out += R"(<p class="say">)" + text + "</p>";
    if (const std::string links = annotation_links(alert->annotations); !links.empty())
      out += R"(<p class="more">)" + links + "</p>";
    out += "</li>";
  }
  out += "</ul>";
  if (sorted.size() > kAlertsShown)
    out += fmt::format(R"(<p class="mut"><a href="api/v1/alerts">{} more</a></p>)", sorted.size() - kAlertsShown);
  return out + silences_list(snapshot);
}

std::string recoveries_part(const Snapshot& snapshot) {
  return newest_part({"Recoveries", "Nothing had to be mended yet.", "api/v1/recoveries", kRecoveriesShown},
                     snapshot.recoveries.size(),
                     [&](std::size_t i) { return recovery_item(snapshot.recoveries[i], snapshot); });
}

std::string rules_part(const Snapshot& snapshot) {
  std::size_t rules = 0;
  std::string rows;
  for (const RuleGroupPage& group : snapshot.rule_groups) {
    rules += group.rules.size();
    std::string errors;
    std::size_t firing = 0;
    for (const RulePage& rule : group.rules) {
      for (const model::Alert& alert : rule.alerts) firing += alert.state == model::AlertState::firing ? 1 : 0;
      if (rule.health == model::RuleHealth::err)
        errors += fmt::format(R"(<p class="why"><b class="reason">{}</b> {}</p>)", escape(rule.name),
                              escape(rule.last_error));
    }
    rows += fmt::format(
        R"(<tr><th scope="row">{}<span class="mut mono">{}</span></th><td>{} {}</td><td class="num">every {}</td>)"
        R"(<td class="num">{}</td><td>{}</td></tr>)",
        escape(group.name), escape(group.file), group.rules.size(), group.rules.size() == 1 ? "rule" : "rules",
        base::format_duration(group.interval), cost_of(group),
        (errors.empty() ? state_badge("up", firing > 0 ? fmt::format("ok, {} firing", firing) : "ok") : errors) +
            unmatched_rules(group, snapshot));
  }
  std::string out = heading("Rules", rules);
  if (rows.empty()) return out + R"(<p class="empty">No rule file is loaded: nothing can fire.</p>)";
  return out +
         R"(<div class="wide"><table class="rules"><thead><tr><th scope="col">Group</th><th scope="col">Rules</th>)"
         R"(<th scope="col">Evaluated</th><th scope="col">Took</th><th scope="col">State</th></tr></thead><tbody>)" +
         rows + "</tbody></table></div>";
}

std::string config_part(const Snapshot& snapshot) {
  return fmt::format(
      R"(<h2>Agent</h2><dl class="facts"><dt>Configuration</dt><dd><span class="mono">{}</span> {} read {}</dd>)"
      R"(<dt>Node</dt><dd>{}</dd><dt>Version</dt><dd>fettle {}</dd><dt>Started</dt><dd>{}</dd></dl>)",
      escape(snapshot.config.file),
      snapshot.config.last_reload_ok ? state_badge("up", "running") : state_badge("down", "last reload refused"),
      ago(snapshot.config.loaded, snapshot), escape(snapshot.node), escape(snapshot.version),
      ago(snapshot.started, snapshot));
}

}  // namespace web
