#include "cli/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <utility>

#include "base/percent.h"
#include "base/secret.h"
#include "base/terminal.h"
#include "base/text.h"
#include "cli/answer.h"
#include "cli/client.h"
#include "cli/exit_code.h"
#include "cli/table.h"
#include "model/alert.h"
#include "model/health.h"

namespace cli {
namespace {

bool is_down(const std::string& health) { return model::parse_health(health) == model::Health::down; }

std::string labels_of(const Json& labels) {
  std::string out;
  for (const auto& [name, value] : labels.items())
    if (name != "alertname") out += fmt::format("{}{}={}", out.empty() ? "" : " ", name, value.get<std::string>());
  return out;
}

int show_status(const StatusOptions& options, const std::vector<std::string>& services, const Json& data) {
  const Json& known = list_of(data, "services");
  for (const std::string& name : services) {
    const auto is_it = [&](const Json& service) { return text_of(service, "name") == name; };
    if (std::any_of(known.begin(), known.end(), is_it)) continue;
    base::print(stderr, "fettle: the agent at {} knows no service '{}'; `fettle status` lists them\n",
                options.agent.shown(), name);
    return kUsage;
  }
  Table table({"SERVICE", "PROBE", "HEALTH", "SINCE", "RECOVERY", "TEXT"});
  bool all_well = true;
  for (const Json& service : known) {
    const auto name = service.at("name").get<std::string>(), health = service.at("health").get<std::string>();
    const std::string maintenance = text_of(service, "maintenance");
    if (!services.empty() && std::find(services.begin(), services.end(), name) == services.end()) continue;
    all_well = all_well && !is_down(health);
    const std::string state = maintenance.empty() ? health : health + ", maintenance";
    table.add({name,
               "",
               {state, tone_of(health)},
               text_of(service, "since"),
               recovery_of(service),
               text_of(service, "text")});
    for (const Json& probe : list_of(service, "probes")) {
      const std::string reason = text_of(probe, "reason");
      const std::string verdict = text_of(probe, "health") + (reason.empty() ? "" : ": " + reason);
      table.add({"",
                 text_of(probe, "name"),
                 {verdict, tone_of(text_of(probe, "health"))},
                 text_of(probe, "since"),
                 "",
                 {text_of(probe, "text"), Tone::faint}});
    }
  }
  if (options.json) return all_well ? 0 : 1;
  base::print(stdout, "{}", table.render(colour_of_stdout()));
  if (const std::string paused = text_of(data, "paused"); !paused.empty())
    base::print(stdout, "no recovery begins on this node: {}\n", paused);
  return all_well ? 0 : 1;
}

int show_alerts(const StatusOptions& options, const Json& data) {
  Table table({"ALERT", "STATE", "ACTIVE SINCE", "LABELS", "SUMMARY"});
  bool firing = false;
  const Json& alerts = list_of(data, "alerts");
  for (const Json& alert : alerts) {
    const auto state = alert.at("state").get<std::string>();
    const bool fires = model::parse_alert_state(state) == model::AlertState::firing;
    firing = firing || fires;
    const bool silenced = alert.contains("silencedBy");
    const Json& labels = mapping_of(alert, "labels");
    table.add({text_of(labels, "alertname"),
               {silenced ? state + ", silenced" : state, fires ? Tone::bad : Tone::warn},
               text_of(alert, "activeAt"),
               labels_of(labels),
               text_of(mapping_of(alert, "annotations"), "summary")});
  }
  if (options.json) return firing ? 1 : 0;
  if (alerts.empty()) base::print(stdout, "no alert is pending or firing\n");
  else base::print(stdout, "{}", table.render(colour_of_stdout()));
  return firing ? 1 : 0;
}

int show_fleet(const StatusOptions& options, const Json& data) {
  const std::string store = text_of(data, "store"), trouble = text_of(data, "trouble");
  Table table({"GROUP", "NODE", "SERVICE", "HEALTH", "SINCE", "RECOVERY"});
  bool all_well = trouble.empty();
  for (const Json& group : list_of(data, "groups")) {
    std::string name = text_of(group, "name");
    for (const Json& member : list_of(group, "members")) {
      const std::string health = text_of(member, "health"), acts = text_of(member, "actsSince"),
                        waits = text_of(member, "waitsSince");
      all_well = all_well && !is_down(health);
      std::string recovery = "-";
      if (!waits.empty()) recovery = "waits since " + waits;
      if (!acts.empty()) recovery = "acts since " + acts;
      table.add({std::exchange(name, ""),
                 text_of(member, "node"),
                 text_of(member, "service"),
                 {health, tone_of(health)},
                 text_of(member, "since"),
                 {recovery, acts.empty() ? Tone::plain : Tone::warn}});
    }
    if (!name.empty()) table.add({name, {"no member is known", Tone::warn}, "", "", "", ""});
  }
  for (const Json& group : list_of(data, "groups"))
    all_well = all_well && !(group.contains("rollout") && text_of(group["rollout"], "state") == "stopped");
  if (options.json) return all_well ? 0 : 1;
  if (store.empty()) {
    base::print(stdout, "no fleet is configured: write fleet: {{etcd: {{endpoints: [...]}}}} in fettle.yml\n");
    return 0;
  }
  if (trouble.empty())
    base::print(stdout, "{} {} {} since {}\n", base::foreign_text(text_of(data, "node"), 256),
                data.value("joined", false) ? "is in the fleet of" : "is not yet in the fleet of",
                base::without_secrets(store), text_of(data, "since"));
  else
    base::print(stdout, "{} does not answer: {}; what follows is what it last said\n", base::without_secrets(store),
                base::foreign_text(trouble, 500));
  for (const Json& group : list_of(data, "groups"))
    if (const std::string panic = text_of(group, "panic"); !panic.empty())
      base::print(stdout, "{}; people are told by {}\n", base::foreign_text(panic, 500),
                  base::foreign_text(text_of(group, "toldBy").empty() ? "each agent" : text_of(group, "toldBy"), 500));
  for (const Json& group : list_of(data, "groups")) {
    if (!group.contains("rollout") || text_of(group["rollout"], "state") == "done") continue;
    const Json& rollout = group["rollout"];
    const std::string state = base::foreign_text(text_of(rollout, "state"), 16), why = text_of(rollout, "why"),
                      name = base::foreign_text(text_of(group, "name"), 256);
    const auto& parts = list_of(rollout, "parts");
    const auto done =
        std::count_if(parts.begin(), parts.end(), [](const Json& part) { return text_of(part, "state") == "done"; });
    base::print(stdout, "a rollout of {} is {} since {}, {} of {} members are done{}{}; fettle rollout {} --status{}\n",
                name, state, base::foreign_text(text_of(rollout, "since"), 64), done, parts.size(),
                why.empty() ? "" : ": ", base::foreign_text(why, 500), name,
                state == "stopped" ? ", then --resume or --abort" : "");
  }
  base::print(stdout, "{}", table.render(colour_of_stdout()));
  return all_well ? 0 : 1;
}

}  // namespace

Tone tone_of(const std::string& health) {
  if (is_down(health)) return Tone::bad;
  return model::parse_health(health) == model::Health::up ? Tone::good : Tone::warn;
}

std::string recovery_of(const Json& service) {
  const Json& recovery = mapping_of(service, "recovery");
  const std::string mode = text_of(recovery, "mode"), state = text_of(recovery, "state"),
                    reason = text_of(recovery, "reason");
  if (mode.empty()) return "-";
  if (!text_of(service, "paused").empty()) return mode + ": paused";
  return mode + ": " + state + (reason.empty() || reason == state ? "" : " (" + reason + ")");
}

int ask(const StatusOptions& options, const std::string& path, const std::function<int(const Json& data)>& show) {
  const auto code = read_answer(options.agent.shown() + path, [&]() -> base::Result<int> {
    TRY(const std::string answer, get(options.agent, path));
    const Json data = data_in(answer);
    const int shown = show(data);
    if (options.json) base::print(stdout, "{}\n", answer);
    return shown;
  });
  if (code) return *code;
  base::print(stderr, "fettle: {}\n", code.error().text);
  return code.error().kind == base::Kind::not_found ? kUsage : exit_code_of(code.error());
}

int run_status(const StatusOptions& options, const std::vector<std::string>& services) {
  return ask(options, "/api/v1/services", [&](const Json& data) { return show_status(options, services, data); });
}

int run_fleet(const StatusOptions& options) {
  return ask(options, "/api/v1/fleet", [&](const Json& data) { return show_fleet(options, data); });
}
int run_alerts(const StatusOptions& options) {
  return ask(options, "/api/v1/alerts", [&](const Json& data) { return show_alerts(options, data); });
}

int run_explain(const StatusOptions& options, const std::string& service) {
  return ask(options, "/api/v1/explain/" + base::percent_encode(service), [&](const Json& data) {
    std::string out;
    for (const Json& sentence : list_of(data, "explanation"))
      out += base::foreign_text(sentence.get<std::string>(), std::string::npos) + "\n";
    const bool down = is_down(mapping_of(data, "service").at("health").get<std::string>());
    if (!options.json) base::print(stdout, "{}", out);
    return down ? 1 : 0;
  });
}

}  // namespace cli
