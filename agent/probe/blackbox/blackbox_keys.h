// The keys of the blackbox exporter's modules, prober by prober, and what each is here: another key, something that is
// done anyway, or nothing that fettle offers, and why not. From its CONFIGURATION.md and that of Prometheus' HTTP
// client.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "config/node.h"

namespace probe {

struct BlackboxKey {
  enum class Kind {
    same,     // goes over under `ours`
    implied,  // what it asks for is done always, or written by blackbox.cc
    off,      // has no counterpart: fine while it is false, 0 or empty
  };
  std::string_view theirs;
  std::string_view ours;
  Kind kind = Kind::same;
  std::string_view why = {};  // it is off
  // Judges the answer or says what is asked: others than the configuration may choose a module that sets it, as long as
  // no secret stands in it. Without that, the reach of our own key decides.
  bool harmless = false;
};

struct BlackboxProber {
  std::string_view name;
  std::string_view type;  // of ours
  std::span<const BlackboxKey> keys;
  const BlackboxKey* find(std::string_view key) const;
  const BlackboxKey* find_ours(std::string_view key) const;
};

const BlackboxProber* find_prober(std::string_view name);
std::string prober_names();
bool is_off(const config::Node& value);  // null, false, 0 or empty

// The first key of a module's settings, at whatever depth, that cannot be followed here, with the reason; "" if all
// can.
std::string refused_key(const BlackboxProber& prober, const config::Node& settings);
// Unknown keys, with the nearest known one.
void check_keys(const BlackboxProber& prober, const config::Node& settings, const std::string& path,
                config::Errors& errors);

}  // namespace probe
