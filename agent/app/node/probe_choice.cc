#include "app/node/probe_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string_view>

#include "app/probe_surroundings.h"
#include "base/host_port.h"
#include "model/labels.h"
#include "probe/registry.h"
#include "probe/run_once.h"
#include "probe/spec.h"

namespace app {
namespace {

// By program first: a port says less. A type in the third column needs a login, as a rule.
enum class Login { none, likely };
struct Known {
  std::string_view program;  // beginning of the name
  std::uint16_t port;
  std::string_view type;
  Login login = Login::none;
};
constexpr std::array kKnown{
    Known{"nginx", 80, "http"},
    Known{"apache2", 80, "http"},
    Known{"httpd", 80, "http"},
    Known{"caddy", 80, "http"},
    Known{"prometheus", 9090, "http"},
    Known{"redis", 6379, "redis"},
    Known{"valkey", 6379, "redis"},
    Known{"memcached", 11211, "memcached"},
    Known{"postgres", 5432, "postgres", Login::likely},
    Known{"mysqld", 3306, "mysql", Login::likely},
    Known{"mariadbd", 3306, "mysql", Login::likely},
    Known{"beam.smp", 5672, "rabbitmq", Login::likely},
    Known{"exim4", 25, "smtp"},
    Known{"master", 25, "smtp"},
    Known{"sshd", 22, "tcp"},
};
constexpr std::string_view kHealthPaths[] = {"/healthz", "/-/healthy", "/health", "/"};

const Known* known_of(const std::string& program, std::uint16_t port) {
  for (const Known& known : kKnown)
    if (!program.empty() && program.starts_with(known.program)) return &known;
  if (!program.empty()) {
    const auto by_both = std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& k) { return k.port == port; });
    return by_both == kKnown.end() || by_both->type == "http" ? nullptr : &*by_both;
  }
  const auto by_port = std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& k) { return k.port == port; });
  return by_port == kKnown.end() ? nullptr : &*by_port;
}

std::string address_of(const FoundPort& port) { return base::host_and_port(port.host, port.port); }

ChosenProbe probe_of(std::string_view type, const std::string& target) {
  return {std::string(type), probe::types().find(type)->keys_of_target(target)};
}

ChosenProbe http_probe(const FoundPort& port, std::string_view path) {
  return probe_of("http", fmt::format("http://{}{}", address_of(port), path));
}

// Reasons of what speaks, but no HTTP.
bool speaks_otherwise(const model::Outcome& outcome) {
  return outcome.reason != model::Reason::none && outcome.reason != model::Reason::status_mismatch;
}

std::optional<int> status_of(const model::Outcome& outcome) {
  for (const model::Measurement& each : outcome.measurements)
    if (each.name == "probe_http_status_code" && each.value >= 200 && each.value < 500)
      return static_cast<int>(each.value);
  return {};
}

// One port: its candidates one after the other.
class Trial {
 public:
  Trial(ProbeSurroundings& world, const PortOfProgram& asked, std::function<void()> ended)
      : world_(world), candidates_(candidates(asked.program, asked.port)), ended_(std::move(ended)) {}

  void next() {
    attempt_.reset();
    if (at_ + 1 >= candidates_.size()) return ended_();  // tcp, which fits as the port listens
    std::vector<std::string> settings{"timeout=2s", "interval=2s"};
    for (const auto& [key, value] : candidates_[at_].keys) settings.push_back(key + "=" + value);
    auto spec = probe::spec_from_arguments(candidates_[at_].type, "", settings);
    if (!spec) return skip();
    spec_ = std::move(*spec);
    attempt_ = probe::run_once(world_.context, *spec_, [this](model::Outcome outcome) { on_outcome(outcome); });
  }

  const ChosenProbe& chosen() const { return candidates_[at_]; }

 private:
  void on_outcome(const model::Outcome& outcome) {
    if (outcome.up) return end();
    ChosenProbe& tried = candidates_[at_];
    const bool is_http = tried.type == "http";
    const bool is_last_path = candidates_[at_ + 1].type != "http";
    const auto status = status_of(outcome);
    if (is_http && is_last_path && status) {
      tried.keys.emplace_back("valid_status_codes", fmt::format("[{}]", *status));
      return end();
    }
    if (is_http && speaks_otherwise(outcome))
      while (candidates_[at_ + 1].type == "http") ++at_;
    skip();
  }
  // In a later turn: the attempt is still on the stack.
  void end() {
    later_ = world_.loop.at(world_.loop.now(), [this] { ended_(); });
  }
  void skip() {
    ++at_;
    later_ = world_.loop.at(world_.loop.now(), [this] { next(); });
  }

  ProbeSurroundings& world_;
  std::vector<ChosenProbe> candidates_;
  std::function<void()> ended_;
  std::size_t at_ = 0;
  std::optional<probe::Spec> spec_;
  std::unique_ptr<probe::Attempt> attempt_;
  loop::Handle later_;
};

}  // namespace

std::vector<ChosenProbe> candidates(const std::string& program, const FoundPort& port) {
  std::vector<ChosenProbe> out;
  const Known* known = known_of(program, port.port);
  if (known != nullptr && known->type != "http" && known->type != "tcp")
    out.push_back(probe_of(known->type, address_of(port)));
  if (known == nullptr || known->type == "http")
    for (const std::string_view path : kHealthPaths) out.push_back(http_probe(port, path));
  out.push_back(probe_of("tcp", address_of(port)));
  return out;
}

ChosenProbe guess(const std::string& program, const FoundPort& port) {
  const Known* known = known_of(program, port.port);
  if (known == nullptr || known->login == Login::likely) return probe_of("tcp", address_of(port));
  return known->type == "http" ? http_probe(port, "/") : probe_of(known->type, address_of(port));
}

std::vector<ChosenProbe> choose_by_asking(const std::vector<PortOfProgram>& ports) {
  if (ports.empty()) return {};
  ProbeSurroundings world;
  std::size_t open = ports.size();
  std::vector<std::unique_ptr<Trial>> trials;
  for (const PortOfProgram& each : ports)
    trials.push_back(std::make_unique<Trial>(world, each, [&] {
      if (--open == 0) world.loop.stop();
    }));
  world.loop.post([&] {
    for (const auto& trial : trials) trial->next();
  });
  world.loop.run();
  std::vector<ChosenProbe> out;
  for (const auto& trial : trials) out.push_back(trial->chosen());
  return out;
}

}  // namespace app
