#include "app/audit/watch.h"

#include <algorithm>

#include "app/destination.h"
#include "base/number.h"

namespace app {
namespace {

bool holds(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// "80, 443"
std::vector<std::uint16_t> read_ports(std::string_view text) {
  std::vector<std::uint16_t> out;
  while (const auto port = base::take_number<std::uint16_t>(text)) {
    out.push_back(*port);
    if (!text.starts_with(", ")) break;
    text.remove_prefix(2);
  }
  return out;
}

std::string unit_of(std::string_view text) {
  return text.ends_with(".service") ? std::string(text) : std::string(text) + ".service";
}

}  // namespace

Watched watched_by(const std::string& target) {
  const auto behind = [&](std::string_view word) {
    return target.starts_with(word) ? std::optional(std::string_view(target).substr(word.size())) : std::nullopt;
  };
  if (const auto ports = behind("connections to ")) return {"", read_ports(*ports), ""};
  if (const auto port = behind("port ")) return {"", read_ports(*port), ""};
  if (const auto unit = behind("unit ")) return {"", {}, unit_of(*unit)};
  if (const auto unit = behind("main process of ")) return {"", {}, unit_of(*unit)};
  const auto place = read_own_destination(target);
  if (!place || place->port == 0) return {};
  return {place->host.text, {place->port}, ""};
}

Watch::Watch(const NodeView& node, const FoundServices& found, const LoadedConfig& loaded) : node_(node) {
  read(loaded);
  assign(found);
}

void Watch::read(const LoadedConfig& loaded) {
  std::map<std::string, std::size_t> at;
  for (const auto& [name, service] : loaded.config.services) {
    at[name] = known_.size();
    Known& known = known_.emplace_back(Known{name, {}, {}});
    if (!service.unit.empty()) known.units.insert(unit_of(service.unit));
  }
  for (const probe::Spec& spec : loaded.probes) {
    const auto of = at.find(spec.service);
    if (of == at.end()) continue;
    Watched watched = watched_by(spec.settings->target());
    if (!watched.unit.empty()) known_[of->second].units.insert(std::move(watched.unit));
    for (const std::uint16_t port : watched.ports) known_[of->second].places.push_back({watched.host, port});
  }
}

// A name is this node's if it is that of its host, with or without a domain; others are not looked up.
bool Watch::goes_to(const Place& place, const FoundPort& port) const {
  if (place.port != port.port) return false;
  const std::string& host = place.host;
  const bool by_name = !node_.host_name.empty() && (host == node_.host_name || host.starts_with(node_.host_name + "."));
  if (host.empty() || by_name) return true;
  const bool loopback = is_loopback(host) || host == "localhost";
  return std::any_of(port.addresses.begin(), port.addresses.end(), [&](const std::string& address) {
    if (address == host) return true;
    const bool all = address == "0.0.0.0" || address == "::";
    if (loopback) return all || (host == "localhost" && is_loopback(address));
    return all && node_.addresses.contains(host);
  });
}

bool Watch::probes(const FoundPort& port) const {
  return std::any_of(known_.begin(), known_.end(), [&](const Known& known) {
    return std::any_of(known.places.begin(), known.places.end(),
                       [&](const Place& place) { return goes_to(place, port); });
  });
}

bool Watch::has_port_of(const Known& known, const FoundService& found) const {
  return std::any_of(found.ports.begin(), found.ports.end(), [&](const FoundPort& port) {
    return std::any_of(known.places.begin(), known.places.end(),
                       [&](const Place& place) { return goes_to(place, port); });
  });
}

void Watch::assign(const FoundServices& found) {
  std::set<std::string> by_unit;
  for (const FoundService& each : found.services)
    for (const Known& known : known_)
      if (!each.unit.empty() && known.units.contains(each.unit)) {
        services_[each.name].push_back(known.name);
        by_unit.insert(known.name);
      }
  // One that probes ports of several, a front before itself, is that which no other one is.
  std::map<std::string, std::vector<const Known*>> by_port;
  std::map<std::string, std::size_t> choices;
  for (const FoundService& each : found.services) {
    if (services_.contains(each.name)) continue;
    for (const Known& known : known_) {
      const bool free = !by_unit.contains(known.name) || each.unit.empty();
      if (!free || !has_port_of(known, each)) continue;
      by_port[each.name].push_back(&known);
      ++choices[known.name];
    }
  }
  std::set<std::string> placed;
  for (const auto& [name, all] : by_port)
    for (const Known* known : all)
      if (choices[known->name] == 1 || all.size() == 1) {
        services_[name].push_back(known->name);
        placed.insert(known->name);
      }
  for (const auto& [name, all] : by_port)
    for (const Known* known : all)
      if (!placed.contains(known->name) || services_[name].empty()) {
        if (!holds(services_[name], known->name)) services_[name].push_back(known->name);
      }
  for (const FoundService& each : found.services)
    for (const Known& known : known_)
      if (services_[each.name].empty() && known.name == each.name && !by_unit.contains(known.name))
        services_[each.name].push_back(known.name);
}

const std::vector<std::string>& Watch::services_of(const FoundService& found) const {
  static const std::vector<std::string> none;
  const auto known = services_.find(found.name);
  return known == services_.end() ? none : known->second;
}

}  // namespace app
