#include "probe/common/probe_schema.h"

#include <algorithm>

#include "base/edit_distance.h"

namespace probe {
namespace {

using config::Errors;
using config::Node;
using config::Reach;
using config::ValueFormat;

void read_fatal_reasons(const Node& value, CommonKeys& keys, const std::string& path, Errors& errors) {
  keys.fatal_reasons.clear();
  if (!value.is_sequence()) return errors.add(value.mark(), path, config::expected("a list", value));
  for (const Node& item : value.items()) {
    if (const auto reason = model::parse_reason(item.scalar())) {
      keys.fatal_reasons.insert(*reason);
      continue;
    }
    std::vector<std::string> known;
    for (const model::Reason reason : model::all_reasons()) known.emplace_back(model::to_string(reason));
    const std::string near = base::nearest(item.scalar(), known);
    errors.add(item.mark(), path,
               "there is no reason '" + item.scalar() + "'" + (near.empty() ? "" : "; did you mean '" + near + "'?"));
  }
}

std::string list_of(const std::set<model::Reason>& reasons) {
  std::string out;
  for (const model::Reason reason : reasons) (out += out.empty() ? "[" : ", ") += model::to_string(reason);
  return out + "]";
}

config::Schema<CommonKeys> make_schema() {
  config::Schema<CommonKeys> s("probe");
  s.optional("name", &CommonKeys::name, "Name of the probe, unique in its service; the label `probe` of its metrics.")
      .fallback("the type's name")
      .reach(Reach::label, ValueFormat::text)
      .custom("type", "Type of the probe.", "", [](const Node&, CommonKeys&, const std::string&, Errors&) {})
      .optional("interval", &CommonKeys::interval, "Time from one run to the next.")
      .fallback("global.interval")
      .reach(Reach::label)
      .optional("timeout", &CommonKeys::timeout, "Limit of one run, everything included; not longer than interval.")
      .fallback("global.timeout")
      .reach(Reach::label)
      .optional("fast_interval", &CommonKeys::fast_interval, "Time between runs while a change of health is pending.")
      .fallback("a quarter of interval, at least 100ms")
      .optional("down_interval", &CommonKeys::down_interval,
                "Time between runs while the probe is down and nothing points to a change.")
      .fallback("interval")
      .optional("jitter", &CommonKeys::jitter, "Part of the interval by which each run is put off at random, 0 to 0.5.")
      .optional("startup_grace", &CommonKeys::startup_grace,
                "While the service started less than this ago and no run has succeeded since, failures count for "
                "nothing, but for those with a fatal reason. Its start is known from a process or systemd probe; else "
                "the agent's own start counts.")
      .optional("failure_threshold", &CommonKeys::failure_threshold,
                "Failures in a row, or within failure_window, until the probe is down.")
      .optional("failure_window", &CommonKeys::failure_window,
                "Count the failures among this many last runs, at most 64, instead of those in a row; 0: in a row.")
      .optional("success_threshold", &CommonKeys::success_threshold,
                "Successes in a row until a probe that was down is up again.")
      .custom("fatal_reasons", "Reasons of which one failure is enough, without regard to failure_threshold.",
              list_of(CommonKeys{}.fatal_reasons).c_str(), read_fatal_reasons)
      .reach(Reach::listed)
      .optional("labels", &CommonKeys::labels, "Labels for all metrics of this probe.")
      .reach(Reach::file, ValueFormat::text);
  return s;
}

}  // namespace

const config::Schema<CommonKeys>& common_schema() {
  static const config::Schema<CommonKeys> schema = make_schema();
  return schema;
}

bool is_common_key(std::string_view key) {
  const auto& keys = common_schema().reference();
  return std::any_of(keys.begin(), keys.end(), [&](const config::KeyReference& known) { return known.key == key; });
}

}  // namespace probe
