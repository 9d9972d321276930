// One configured probe: the keys that every type has, and the type's own settings.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "probe/common/common_keys.h"
#include "probe/probe.h"

namespace config {
struct Service;
}  // namespace config

namespace probe {

struct Spec : CommonKeys {
  std::string service{};
  const Type* type = nullptr;
  std::size_t healthy_probes = 0;  // of the service, that must be up for it to be up; 0: all
  std::unique_ptr<const Settings> settings{};
  bool discovered = false;       // made from a target of a list, not from the configuration itself
  base::KnownSecrets secrets{};  // secrets of its settings: outcomes are shown without them
  std::string settings_text{};   // the type's own keys in one canonical form: a reload compares it
};

// All probes of one service. Defaults come from `global`. Mistakes (unknown type, duplicate name, timeout longer than
// interval, the type's own) go to `errors`; path is services.NAME.probes[i].
std::vector<Spec> parse_probes(const std::string& service, const config::Service& settings,
                               const config::Global& global, config::Errors& errors);

// The parts of it. One probe of a service; nothing if its type is unknown, mistakes are in `errors`.
std::optional<Spec> parse_probe(const config::Node& probe, const std::string& path, const std::string& service,
                                const std::string& unit, const config::Global& global, config::Errors& errors);
// What all types have in common. The defaults of interval and timeout are those of `global`.
CommonKeys parse_common(const config::Node& probe, const std::string& path, const config::Global& global,
                        config::Errors& errors);
const Type* read_type(const config::Node& probe, const std::string& path, config::Errors& errors);

// Whether a word of a command line is a setting, key=value or key.key=value, and no target: http://h/?a=b is none.
bool is_setting(std::string_view word);

// A probe from a command line: "tcp" "127.0.0.1:6379" "timeout=1s" "tls_config.server_name=redis". The target may be ""
// where the type needs none; a value that starts with [ or { is YAML. Its service is "command line", its name the
// type's.
base::Result<Spec> spec_from_arguments(const std::string& type, const std::string& target,
                                       const std::vector<std::string>& settings);

}  // namespace probe
