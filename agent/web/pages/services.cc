#include <fmt/format.h>

#include <algorithm>

#include "web/explain.h"
#include "web/pages/html.h"
#include "web/pages/parts.h"

namespace web {
namespace {

using model::Health;
using model::PlanState;

struct Counts {
  std::size_t services = 0, up = 0, down = 0, unknown = 0, maintenance = 0;
  std::size_t probes = 0, probes_up = 0;
  std::size_t firing = 0, pending = 0;
  std::size_t running = 0, waiting = 0;
};

bool running(const model::RecoveryReport& report) { return !report.ended; }

Counts count(const Snapshot& snapshot) {
  Counts n;
  for (const ServicePage& service : snapshot.services) {
    ++n.services;
    if (service.maintenance) ++n.maintenance;
    if (service.health == Health::up) ++n.up;
    else if (service.health == Health::down) ++n.down;
    else ++n.unknown;
    for (const ProbePage& probe : service.probes) {
      ++n.probes;
      if (probe.health == Health::up) ++n.probes_up;
    }
  }
  for (const model::Alert& alert : snapshot.alerts) alert.state == model::AlertState::firing ? ++n.firing : ++n.pending;
  n.running = static_cast<std::size_t>(std::count_if(snapshot.recoveries.begin(), snapshot.recoveries.end(), running));
  return n;
}

// "order, payment and 3 more", each a link to its page.
std::string links(const Snapshot& snapshot, Health health) {
  std::string out;
  std::size_t shown = 0, left = 0;
  for (const ServicePage& service : snapshot.services) {
    if (service.health != health) continue;
    if (shown == 6) {
      ++left;
      continue;
    }
    out += (shown++ == 0 ? "" : ", ") + service_link(service.name, "");
  }
  if (left > 0) out += fmt::format(" and {} more", left);
  return out;
}

struct Headline {
  std::string_view kind;
  std::string headline;  // HTML
  std::string plain;     // for the title of the page
};

Headline headline_of(const Snapshot& snapshot, const Counts& n) {
  if (n.services == 0 && !snapshot.ready) return {"unknown", "The agent is starting", "starting"};
  if (n.services == 0) return {"unknown", "No service is configured", "no service"};
  if (n.down > 0)
    return {"down",
            fmt::format("{} {} down: {}", n.down, n.down == 1 ? "service is" : "services are",
                        links(snapshot, Health::down)),
            fmt::format("{} down", n.down)};
  if (n.unknown > 0)
    return {"unknown", fmt::format("No verdict yet about {}", links(snapshot, Health::unknown)), "no verdict yet"};
  if (n.firing > 0)
    return {"warn",
            fmt::format("All services are up, {} {} firing", n.firing, n.firing == 1 ? "alert is" : "alerts are"),
            fmt::format("{} firing", n.firing)};
  return {"up", n.services == 1 ? "The service is up" : fmt::format("All {} services are up", n.services), "all up"};
}

std::string tile(std::string_view name, std::string_view value, std::string_view more, std::string_view kind) {
  return fmt::format(R"(<div class="tile {}"><dt>{}</dt><dd>{}</dd><dd class="more">{}</dd></div>)", kind, name, value,
                     more);
}

// What the last run said; while a probe fails but is not down yet, also how near it is to that.
std::string probe_words(const ProbePage& probe) {
  std::string out;
  if (probe.reason != model::Reason::none)
    out += fmt::format(R"(<b class="reason">{}</b> )", model::to_string(probe.reason));
  out += escape(probe.text);
  if (probe.health == Health::up && probe.consecutive_failures > 0)
    out += fmt::format(R"( <span class="st warn near">failure {} of {}</span>)", probe.consecutive_failures,
                       probe.failure_threshold);
  return out;
}

std::string probe_item(const ProbePage& probe) {
  return fmt::format(
      R"(<li class="probe {}"><p class="line">{} <b>{}</b> <span class="mono">{}</span> <span class="mut">{} every {}</span>)"
      R"(<span class="took">{}</span></p>{}<p class="said">{}</p>{}</li>)",
      kind_of(probe.health), state_badge(kind_of(probe.health), word_of(probe.health)), escape(probe.name),
      escape(probe.target), escape(probe.type), base::format_duration(probe.interval),
      probe.last_run ? precise_duration(probe.took_seconds) : "", history_graphic(probe.history), probe_words(probe),
      phases_graphic(probe.phases));
}

std::string_view kind_of_plan(PlanState state) {
  switch (state) {
    case PlanState::acting:
    case PlanState::verifying: return "busy";
    case PlanState::blocked:
    case PlanState::backoff:
    case PlanState::asking: return "warn";
    case PlanState::exhausted: return "down";
    case PlanState::idle:
    case PlanState::holding:
    case PlanState::recovered: break;
  }
  return "calm";
}

std::string recovery_line(const ServicePage& service, const Snapshot& snapshot) {
  if (!service.recovery_mode) return "";
  const PlanState state = service.recovery_state.value_or(PlanState::idle);
  const std::string_view mode = to_string(*service.recovery_mode), word = to_string(state);
  std::string out = fmt::format(R"(<p class="rec">{} <span class="chip mode-{}"><b>mode</b> {}</span>)",
                                state_badge(kind_of_plan(state), fmt::format("Recovery {}", word)), mode, mode);
  if (!service.recovery_reason.empty() && service.recovery_reason != word)
    out += fmt::format(R"( <span>{}</span>)", escape(service.recovery_reason));
  out += fmt::format(R"( <span class="mut">{} {} left</span>)", service.attempts_left,
                     service.attempts_left == 1 ? "attempt" : "attempts");
  const auto now = std::find_if(snapshot.recoveries.begin(), snapshot.recoveries.end(),
                                [&](const auto& r) { return r.service == service.name && running(r); });
  if (now != snapshot.recoveries.end() && !now->actions.empty())
    out += fmt::format(R"( <span class="now">{}</span>)", escape(now->actions.back().action));
  return out + "</p>";
}

std::string dependencies(const ServicePage& service, const Snapshot& snapshot, std::string_view root) {
  if (service.depends_on.empty()) return "";
  std::string out = R"(<span class="deps"><span class="mut">needs</span> )";
  for (const std::string& name : service.depends_on) {
    const auto found = std::find_if(snapshot.services.begin(), snapshot.services.end(),
                                    [&](const ServicePage& s) { return s.name == name; });
    const Health health = found == snapshot.services.end() ? Health::unknown : found->health;
    out += fmt::format(R"(<a class="dep {0}" href="{3}" title="{1} is {2}">)"
                       R"(<svg class="g" viewBox="0 0 16 16" aria-hidden="true"><use href="#g-{0}"/></svg>{1}</a> )",
                       kind_of(health), escape(name), model::to_string(health), service_href(name, root));
  }
  return out + "</span>";
}

}  // namespace

std::string page_title(const Snapshot& snapshot) {
  return fmt::format("{} · {} · fettle", headline_of(snapshot, count(snapshot)).plain, snapshot.node);
}

std::string summary_part(const Snapshot& snapshot) {
  const Counts n = count(snapshot);
  const Headline v = headline_of(snapshot, n);
  std::string out = fmt::format(
      R"(<div class="hero {0}" data-title="{1}" data-kind="{0}">)"
      R"(<svg class="g" viewBox="0 0 16 16" aria-hidden="true"><use href="#g-{0}"/></svg><h2>{2}</h2></div>)",
      v.kind, escape(page_title(snapshot)), v.headline);
  out += R"(<dl class="tiles">)";
  out += tile("Services up", fmt::format("{}<small>/{}</small>", n.up, n.services),
              n.maintenance > 0 ? fmt::format("{} in maintenance", n.maintenance)
              : n.unknown > 0   ? fmt::format("{} unknown", n.unknown)
                                : "",
              n.down > 0 ? "down" : "");
  out += tile("Probes up", fmt::format("{}<small>/{}</small>", n.probes_up, n.probes), "",
              n.probes_up < n.probes ? "warn" : "");
  out += tile("Alerts firing", std::to_string(n.firing), n.pending > 0 ? fmt::format("{} pending", n.pending) : "",
              n.firing > 0 ? "down" : "");
  std::string last;
  if (n.running > 0) last = fmt::format("{} running", n.running);
  else if (!snapshot.recoveries.empty()) last = "last " + ago(snapshot.recoveries.front().started, snapshot);
  out += tile("Recoveries", std::to_string(snapshot.recoveries.size()), last, n.running > 0 ? "busy" : "");
  return out + "</dl>";
}

std::string service_part(const ServicePage& service, const Snapshot& snapshot, std::string_view root) {
  const std::string_view kind = kind_of(service.health);
  // On its own page it needs no link to that, and is a part of the page itself.
  const std::string name =
      root.empty() ? "<h3>" + service_link(service.name, root) + "</h3>" : "<h2>" + escape(service.name) + "</h2>";
  std::string out = fmt::format(
      R"(<article class="card {}"><header>{}{}<span class="mut">{}</span><span class="chips">{}</span></header>)", kind,
      state_badge(kind, word_of(service.health)), name, for_time(service.since, snapshot), label_chips(service.labels));
  if (service.maintenance)
    out += fmt::format(R"(<p class="note busy">{} {}</p>)", state_badge("calm", "Maintenance"),
                       escape(*service.maintenance));
  if (!service.paused.empty())
    out += fmt::format(R"(<p class="note busy">{} {}</p>)", state_badge("calm", "Paused"), escape(service.paused));
  if (service.health == Health::down)
    out += fmt::format(R"(<p class="why"><b class="reason">{}</b> {}</p>)", model::to_string(service.reason),
                       escape(service.text));
  out += recovery_line(service, snapshot);
  if (!service.probes.empty()) {
    out += fmt::format(R"(<ul class="probes" aria-label="Probes of {}">)", escape(service.name));
    for (const ProbePage& probe : service.probes) out += probe_item(probe);
    out += "</ul>";
  }
  std::string foot = dependencies(service, snapshot, root);
  if (!service.unit.empty()) foot += fmt::format(R"(<span class="mut mono">{}</span>)", escape(service.unit));
  if (!foot.empty()) out += "<footer>" + foot + "</footer>";
  return out + "</article>";
}

}  // namespace web
