// The keys that every probe has, whatever its type: read by parse_probes(), known to every type's schema.
#pragma once

#include "config/schema.h"

namespace probe {

struct CommonKey {
  const char* key;
  const char* help;
  const char* fallback;
  config::Reach reach = config::Reach::listed;
  config::Place place = config::Place::word;
};

inline constexpr CommonKey kCommonKeys[] = {
    {"name", "Name of the probe, unique in its service; the label `probe` of its metrics.", "the type's name",
     config::Reach::label, config::Place::text},
    {"type", "Type of the probe.", "", config::Reach::file},
    {"interval", "Time from one run to the next.", "global.interval", config::Reach::label},
    {"timeout", "Limit of one run, everything included; not longer than interval.", "global.timeout",
     config::Reach::label},
    {"fast_interval", "Time between runs while a change of health is pending.",
     "a quarter of interval, at least 100ms"},
    {"down_interval", "Time between runs while the probe is down and nothing points to a change.", "interval"},
    {"jitter", "Part of the interval by which each run is put off at random, 0 to 0.5.", "0"},
    {"startup_grace",
     "While the service started less than this ago and no run has succeeded since, failures count for nothing, but for "
     "those with a fatal reason. Its start is known from a process or systemd probe; else the agent's own start "
     "counts.",
     "0s"},
    {"failure_threshold", "Failures in a row, or within failure_window, until the probe is down.", "3"},
    {"failure_window",
     "Count the failures among this many last runs, at most 64, instead of those in a row; 0: in a row.", "0"},
    {"success_threshold", "Successes in a row until a probe that was down is up again.", "1"},
    {"fatal_reasons", "Reasons of which one failure is enough, without regard to failure_threshold.",
     "[process_gone, unit_failed, heartbeat_missed]"},
    {"labels", "Labels for all metrics of this probe.", "{}", config::Reach::file, config::Place::text},
};

bool is_common_key(std::string_view key);

// A Schema to which a type adds its own keys.
template <typename T>
config::Schema<T> probe_schema(const char* type) {
  config::Schema<T> schema(type);
  for (const CommonKey& common : kCommonKeys)
    schema
        .custom(common.key, common.help, common.fallback,
                [](const config::Node&, T&, const std::string&, config::Errors&) {})
        .reach(common.reach, common.place);
  return schema;
}

}  // namespace probe
