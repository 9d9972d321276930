#include "recover/standby/standby_spec.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/number.h"

namespace recover {
namespace {

constexpr std::size_t kMostMembers = 9;

struct Settings {
  std::string kind;
  std::map<std::string, std::string> members;
  model::RecoveryMode mode = StandbySpec{}.mode;
  std::int64_t max_lag = StandbySpec{}.max_lag;
  base::Millis cooldown = StandbySpec{}.cooldown;
  std::vector<std::string> fence, move_traffic, rejoin;
};

// HOST:PORT or [IPv6]:PORT; nothing if it is none.
std::optional<StandbyMember> read_member(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string_view::npos) return std::nullopt;
  const auto port = base::read_number<std::uint16_t>(std::string(text.substr(colon + 1)));
  if (host.empty() || host.find_first_of(" \t\r\n[]") != std::string_view::npos || !port || *port == 0)
    return std::nullopt;
  return StandbyMember{std::string(host), *port};
}

void check_program(const std::vector<std::string>& argv, const char* key, const config::Complain& complain) {
  if (!argv.empty() && !argv.front().starts_with('/')) complain(key, "must begin with the absolute path of a program");
}

const config::Schema<Settings>& schema() {
  static const auto s =
      config::Schema<Settings>("standby")
          .required("kind", &Settings::kind,
                    "What the servers are: redis (and what speaks like it, such as Valkey) or postgres.")
          .required("members", &Settings::members,
                    "All servers that hold the data, this one among them: the name of the node (global.node of its "
                    "agent) and the address at which clients, the other servers and all agents reach it.")
          .custom("mode",
                  "dry_run: only say what would be done; ask: a promotion waits for fettle standby approve; enforce: "
                  "promote as soon as every condition holds.",
                  "ask",
                  [](const config::Node& node, Settings& in, const std::string& path, config::Errors& errors) {
                    std::size_t index = 0;
                    std::string why;
                    if (!config::read_one_of(node, {"dry_run", "ask", "enforce"}, index, why))
                      errors.add(node.mark(), path, why);
                    else in.mode = static_cast<model::RecoveryMode>(index);
                  })
          .optional("max_lag", &Settings::max_lag,
                    "Bytes of the replication stream (PostgreSQL: of the WAL) that a candidate may lack of what the "
                    "primary was seen to have.")
          .optional("cooldown", &Settings::cooldown, "How long after a promotion there is no other one.")
          .optional("fence", &Settings::fence,
                    "Program, and its arguments, that makes sure that the server of another node, or a frozen one of "
                    "this node, takes no write any more, and exits 0 only if that is so. FETTLE_NODE and "
                    "FETTLE_ADDRESS say which server. Required with kind: postgres, where it is also what closes the "
                    "server of this node.")
          .optional(
              "move_traffic", &Settings::move_traffic,
              "Program, and its arguments, that is run on the node of the primary each time that it begins to take "
              "writes.")
          .optional("rejoin", &Settings::rejoin,
                    "PostgreSQL only: program, and its arguments, that makes the server here a standby of the new "
                    "primary, by pg_rewind or a new base copy. FETTLE_PRIMARY_ADDRESS says which that is.")
          .shows({"kind", "members", "fence", "move_traffic", "rejoin"})
          .check([](const Settings& in, const config::Complain& complain) {
            const bool postgres = in.kind == "postgres";
            if (!postgres && in.kind != "redis") complain("kind", "must be redis or postgres");
            if (postgres && in.fence.empty())
              complain("fence",
                       "is required with kind: postgres: no agent can close a PostgreSQL server to writes, only a "
                       "program that ends it, or starts it as a standby");
            if (!postgres && !in.rejoin.empty())
              complain("rejoin", "is for kind: postgres; a Redis server rejoins by REPLICAOF, which the agent sends");
            if (in.members.size() < 2 || in.members.size() > kMostMembers)
              complain("members", fmt::format("must have 2 to {} servers", kMostMembers));
            if (in.max_lag < 0) complain("max_lag", "must not be negative");
            if (in.cooldown.count() < 0) complain("cooldown", "must not be negative");
            check_program(in.fence, "fence", complain);
            check_program(in.move_traffic, "move_traffic", complain);
            check_program(in.rejoin, "rejoin", complain);
          });
  return s;
}

// Whose mistakes its probe has told.
std::shared_ptr<net::TlsContext> tls_of(const config::Node& probe) {
  if (probe.find("tls").scalar() != "true") return nullptr;
  config::Errors told;
  const config::Node keys = probe.find("tls_config");
  const net::TlsSettings settings = keys.is_null() ? net::TlsSettings{} : net::tls_schema().parse(keys, "", told);
  return net::tls_context(settings, keys, "", told);
}

// The probe's keys have been checked by the probe.
StandbyLogin login_of(const std::string& kind, const config::Service& service, const config::Node& node,
                      const std::string& path, config::Errors& errors) {
  const auto is_kind = [&](const config::Node& probe) { return probe.find("type").scalar() == kind; };
  for (const config::Node& probe : service.probes) {
    if (!is_kind(probe)) continue;
    if (std::count_if(service.probes.begin(), service.probes.end(), is_kind) > 1)
      errors.add(node.mark(), path,
                 fmt::format("the service has several probes of type {}, and one of them would say how the agent logs "
                             "in; leave one here and give the others to a service of their own",
                             kind));
    if (const config::Node role = probe.find("role"); !role.is_null() && role.scalar() != "any")
      errors.add(
          role.mark(), path,
          "the probe of a standby may not ask for a role: the service is up on the replicas, too; take role out");
    return {probe.find("username").scalar(), probe.find("database").scalar(),
            base::Secret(probe.find("password").scalar()), probe.find("password_file").scalar(), tls_of(probe)};
  }
  errors.add(node.mark(), path,
             fmt::format("the service has no probe of type {}, which says how it is and how the agent logs in; add one",
                         kind));
  return {};
}

}  // namespace

const std::vector<config::KeyReference>& standby_reference() { return schema().reference(); }

Standby parse_standby(const std::string& service, const config::Service& keys, const std::string& node,
                      const config::Node& fleet, config::Errors& errors) {
  if (keys.standby.is_null()) return nullptr;
  const std::string path = config::service_path(service) + ".standby";
  const std::size_t before = errors.size();
  Settings in = schema().parse(keys.standby, path, errors);
  auto spec = std::make_shared<StandbySpec>();
  spec->service = service;
  spec->kind = in.kind == "postgres" ? StandbyKind::postgres : StandbyKind::redis;
  spec->mode = in.mode;
  if (errors.size() > before) return nullptr;
  const config::Node members = keys.standby.find("members");
  for (const auto& [name, text] : in.members) {
    const auto member = read_member(text);
    if (!member) {
      errors.add(members.find(name).mark(), fmt::format("{}.members.{}", path, name),
                 fmt::format("expected HOST:PORT, such as 10.0.0.1:{}", in.kind == "postgres" ? 5432 : 6379));
      continue;
    }
    for (const auto& [other, known] : spec->members)
      if (known == *member)
        errors.add(members.find(name).mark(), fmt::format("{}.members.{}", path, name),
                   fmt::format("is the server of {}, too", other));
    spec->members.emplace(name, *member);
  }
  if (errors.size() == before && !spec->members.contains(node))
    errors.add(members.mark(), path + ".members",
               fmt::format("this node is {} (global.node), which is not among them", node));
  if (fleet.is_null())
    errors.add(
        keys.standby.mark(), path,
        "there is no store to elect a primary by: write fleet: {etcd: {...}} or {consul: {...}} beside services");
  else if (!fleet.find("peers").is_null())
    errors.add(keys.standby.mark(), path,
               "fleet.peers cannot elect a primary: two halves of a network would each find one; it needs fleet.etcd "
               "or fleet.consul");
  spec->login = login_of(in.kind, keys, keys.standby, path, errors);
  spec->max_lag = in.max_lag;
  spec->cooldown = in.cooldown;
  spec->fence = std::move(in.fence);
  spec->move_traffic = std::move(in.move_traffic);
  spec->rejoin = std::move(in.rejoin);
  for (const auto& [key, argv] : {std::pair{"fence", &spec->fence}, std::pair{"move_traffic", &spec->move_traffic},
                                  std::pair{"rejoin", &spec->rejoin}})
    if (!argv->empty() && ::access(argv->front().c_str(), X_OK) != 0)
      errors.warn(keys.standby.find(key).mark(), fmt::format("{}.{}", path, key),
                  fmt::format("{}: {}; it fails until that is mended", argv->front(),
                              std::error_code(errno, std::generic_category()).message()));
  if (errors.size() > before) return nullptr;
  return spec;
}

}  // namespace recover
