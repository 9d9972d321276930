// What monitoring plugins print, and the CSV of HAProxy.
#include <cmath>
#include <string>

#include "fuzz/fuzz.h"
#include "probe/host/perfdata.h"
#include "recover/traffic/haproxy_stat.h"

void fuzz::one_input(std::string_view bytes) {
  const probe::PluginOutput output = probe::parse_plugin_output(bytes);
  for (const probe::PluginValue& value : output.values) require(!value.label.empty(), "a value has a label");
  const auto servers = recover::traffic::parse_stat(std::string(bytes), "order");
  if (!servers) require(!servers.error().text.empty(), "a refusal has a reason");
}
