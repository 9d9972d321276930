#include "cli/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/secret.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/table.h"

namespace cli {
namespace {

using nlohmann::json;

constexpr int kNoAnswer = 2;

// The answer's data, or the complaint on standard error.
std::optional<json> ask(const StatusOptions& options, const std::string& path) {
  const auto answer = get(options.url, path);
  if (!answer) {
    fmt::print(stderr, "fettle: {}\n", answer.error().text);
    return std::nullopt;
  }
  if (options.json) fmt::print("{}\n", base::foreign_lines(*answer, std::string::npos));
  const json parsed = json::parse(*answer, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("data")) {
    fmt::print(stderr, "fettle: {}{} does not answer as an agent does\n", base::without_secrets(options.url), path);
    return std::nullopt;
  }
  return parsed["data"];
}

std::string text(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

Tone tone_of(const std::string& health) {
  if (health == "up") return Tone::good;
  return health == "down" ? Tone::bad : Tone::warn;
}

// "enforce: acting (dependencies)": what recovery does, in one cell.
std::string recovery_of(const json& service) {
  const json& recovery = service["recovery"];
  const std::string mode = text(recovery, "mode"), state = text(recovery, "state"), reason = text(recovery, "reason");
  if (mode.empty()) return "-";
  return mode + ": " + state + (reason.empty() ? "" : " (" + reason + ")");
}

std::string labels_of(const json& labels) {
  std::string out;
  for (const auto& [name, value] : labels.items())
    if (name != "alertname") out += fmt::format("{}{}={}", out.empty() ? "" : " ", name, value.get<std::string>());
  return out;
}

}  // namespace

int run_status(const StatusOptions& options, const std::vector<std::string>& services) {
  const auto data = ask(options, "/api/v1/services");
  if (!data) return kNoAnswer;
  const json& known = (*data)["services"];
  for (const std::string& name : services) {
    const auto is_it = [&](const json& service) { return text(service, "name") == name; };
    if (std::any_of(known.begin(), known.end(), is_it)) continue;
    fmt::print(stderr, "fettle: the agent at {} knows no service '{}'; `fettle status` lists them\n",
               base::without_secrets(options.url), name);
    return kNoAnswer;
  }
  Table table({"SERVICE", "PROBE", "HEALTH", "SINCE", "RECOVERY", "TEXT"});
  bool all_well = true;
  for (const json& service : known) {
    const std::string name = text(service, "name");
    if (!services.empty() && std::find(services.begin(), services.end(), name) == services.end()) continue;
    const std::string health = text(service, "health"), maintenance = text(service, "maintenance");
    all_well = all_well && health != "down";
    const std::string state = maintenance.empty() ? health : health + ", maintenance";
    table.add(
        {name, "", {state, tone_of(health)}, text(service, "since"), recovery_of(service), text(service, "text")});
    for (const json& probe : service["probes"]) {
      const std::string reason = text(probe, "reason");
      const std::string verdict = text(probe, "health") + (reason.empty() ? "" : ": " + reason);
      table.add({"",
                 text(probe, "name"),
                 {verdict, tone_of(text(probe, "health"))},
                 text(probe, "since"),
                 "",
                 {text(probe, "text"), Tone::faint}});
    }
  }
  if (!options.json) fmt::print("{}", table.render(colour_of_stdout()));
  return all_well ? 0 : 1;
}

int run_alerts(const StatusOptions& options) {
  const auto data = ask(options, "/api/v1/alerts");
  if (!data) return kNoAnswer;
  Table table({"ALERT", "STATE", "ACTIVE SINCE", "LABELS", "SUMMARY"});
  bool firing = false;
  for (const json& alert : (*data)["alerts"]) {
    const std::string state = text(alert, "state");
    firing = firing || state == "firing";
    const bool silenced = alert.contains("silencedBy");
    table.add({text(alert["labels"], "alertname"),
               {silenced ? state + ", silenced" : state, state == "firing" ? Tone::bad : Tone::warn},
               text(alert, "activeAt"),
               labels_of(alert["labels"]),
               text(alert["annotations"], "summary")});
  }
  if (!options.json) {
    if ((*data)["alerts"].empty()) fmt::print("no alert is pending or firing\n");
    else fmt::print("{}", table.render(colour_of_stdout()));
  }
  return firing ? 1 : 0;
}

int run_explain(const StatusOptions& options, const std::string& service) {
  const auto data = ask(options, "/api/v1/explain/" + url_encode(service));
  if (!data) return kNoAnswer;
  if (!options.json)
    for (const json& sentence : (*data)["explanation"])
      fmt::print("{}\n", base::foreign_text(sentence.get<std::string>(), std::string::npos));
  return text((*data)["service"], "health") == "down" ? 1 : 0;
}

}  // namespace cli
