#include "app/replay/replay_recover.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "base/log.h"
#include "base/terminal.h"
#include "base/text.h"
#include "encoding/json.h"
#include "rules/tools/samples_file.h"

namespace app {
namespace {

std::string words_of(const Decision& each) {
  std::string out;
  if (each.run > 0) out = fmt::format("run {}", each.run);
  for (const std::string& text : {each.name, each.text})
    if (!text.empty()) out += (out.empty() ? "" : ": ") + base::foreign_text(text, std::string::npos);
  if (each.what == Decided::begins && each.attempt > 0) out += fmt::format(", attempt {}", each.attempt);
  return out;
}

struct Count {
  std::size_t runs = 0, actions = 0;
  std::map<std::string, std::size_t> ends, held;
};

std::map<std::string, Count> counts_of(const PlanReplay& replay) {
  std::map<std::string, Count> out;
  for (const Decision& each : replay.decisions) {
    if (each.what == Decided::begins) ++out[each.service].runs;
    if (each.what == Decided::action) ++out[each.service].actions;
    if (each.what == Decided::ends) ++out[each.service].ends[each.name];
    if (each.what == Decided::held) ++out[each.service].held[each.name];
  }
  return out;
}

std::string list_of(const std::map<std::string, std::size_t>& counts) {
  std::string out;
  for (const auto& [word, count] : counts) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", word, count);
  return out.empty() ? "none" : out;
}

constexpr std::int64_t kLongestGap = 7LL * 86'400'000;

// Why these cannot be what one node recorded; "" if they may.
std::string doubt(const rules::SamplesFile& file) {
  std::set<std::int64_t> times;
  std::set<std::string> nodes;
  for (const auto& series : file.series) {
    for (const model::Sample& sample : series.samples) times.insert(sample.t);
    const std::string_view name = series.labels.metric_name();
    if (name == "probe_success" || name == "fettle_service_up")
      nodes.insert(std::string(series.labels.get("instance")));
  }
  if (nodes.size() > 1)
    return fmt::format("has the services of {} nodes (label instance: {} and {}); a replay is of one", nodes.size(),
                       *nodes.begin(), *std::next(nodes.begin()));
  for (auto at = times.begin(), next = at; at != times.end() && ++next != times.end(); ++at)
    if (*next - *at > kLongestGap)
      return fmt::format("has no sample from {} to {}, which is more than a week; leave out what is on one side",
                         base::format_iso8601(base::wall_from_ms(*at)),
                         base::format_iso8601(base::wall_from_ms(*next)));
  return "";
}

}  // namespace

std::string replay_text(const PlanReplay& replay) {
  std::size_t widest = 0;
  for (const Decision& each : replay.decisions) widest = std::max(widest, each.service.size());
  std::string out;
  for (const Decision& each : replay.decisions) {
    const std::string words = words_of(each);
    out += fmt::format("{:24}  {:{}}  ", base::format_iso8601(each.at),
                       base::foreign_text(each.service, std::string::npos), widest);
    out += words.empty() ? fmt::format("{}\n", to_string(each.what))
                         : fmt::format("{:8}  {}\n", to_string(each.what), words);
  }
  out += fmt::format("{}samples from {} to {}, {} runs of probes\n", out.empty() ? "" : "\n",
                     base::format_iso8601(replay.from), base::format_iso8601(replay.to), replay.runs);
  for (const auto& [service, count] : counts_of(replay))
    out += fmt::format("{}: runs {} ({}), actions {}, held by {}\n", base::foreign_text(service, std::string::npos),
                       count.runs, list_of(count.ends), count.actions, list_of(count.held));
  return out;
}

std::string replay_json(const PlanReplay& replay, ReplayMode mode) {
  encoding::Json json;
  const auto counts = [&json](const char* key, const std::map<std::string, std::size_t>& all) {
    json.key(key).object([&] {
      for (const auto& [word, count] : all) json.key(word).integer(static_cast<std::int64_t>(count));
    });
  };
  json.object([&] {
    json.key("status").string("success");
    json.key("data").object([&] {
      json.key("mode").string(mode == ReplayMode::enforce ? "enforce" : "configured");
      json.key("from").time(replay.from);
      json.key("to").time(replay.to);
      json.key("probeRuns").integer(static_cast<std::int64_t>(replay.runs));
      json.key("decisions").array([&] {
        for (const Decision& each : replay.decisions)
          json.object([&] {
            json.key("at").time(each.at);
            json.key("service").string(each.service);
            json.key("what").string(to_string(each.what));
            json.key("name").string(each.name);
            json.key("text").string(each.text);
            json.key("run").integer(static_cast<std::int64_t>(each.run));
            json.key("attempt").integer(each.attempt);
          });
      });
      json.key("services").array([&] {
        for (const auto& each : counts_of(replay))
          json.object([&] {
            const auto& count = each.second;
            json.key("service").string(each.first);
            json.key("runs").integer(static_cast<std::int64_t>(count.runs));
            json.key("actions").integer(static_cast<std::int64_t>(count.actions));
            counts("ends", count.ends);
            counts("held", count.held);
          });
      });
      json.key("notes").array([&] {
        for (const std::string& note : replay.notes) json.string(note);
      });
    });
  });
  return json.take() + "\n";
}

int replay_recover(const ReplayRecoverOptions& options) {
  base::log::configure(base::log::Level::error, base::log::Format::logfmt);
  const auto complain = [](const std::string& text) { base::print(stderr, "fettle recover replay: {}\n", text); };
  config::Errors errors;
  LoadedConfig loaded = load(options.config_file, errors);
  const std::string mistakes = errors.text();
  leave_out_mistakes(options.config_file, loaded, errors);
  if (!errors.empty()) {
    base::print(stderr, "{}", mistakes);
    return 1;
  }
  if (!loaded.left_out.empty()) complain("left out:\n" + loaded.left_out);
  auto samples = rules::load_samples(options.openmetrics);
  if (!samples) {
    complain(samples.error().text);
    return 1;
  }
  if (samples->series.empty()) {
    complain(fmt::format("{} has no samples", options.openmetrics));
    return 1;
  }
  if (const std::string why = doubt(*samples); !why.empty()) {
    complain(fmt::format("{} {}", options.openmetrics, base::foreign_text(why, 300)));
    return 1;
  }
  const ReplayMode mode = options.enforce ? ReplayMode::enforce : ReplayMode::configured;
  const PlanReplay replay = replay_plans(std::move(loaded), std::move(samples->series), mode);
  if (options.form == base::OutputForm::json) {
    base::print(stdout, "{}", replay_json(replay, mode));
    return 0;
  }
  for (const std::string& note : replay.notes) complain(note);
  base::print(stdout, "{}", replay_text(replay));
  return 0;
}

}  // namespace app
