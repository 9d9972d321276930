#include "recover/standby/standby_spec.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/number.h"

namespace recover {
namespace {

constexpr std::size_t kMostMembers = 9;
constexpr std::int64_t kMostTransactions = 1000;  // that a MariaDB replica may lack, unless something else is said

// By the word of `kind`: the probe that knows such servers, and the port that they have unless told otherwise.
struct Kind {
  std::string_view word;
  StandbyKind kind;
  const char* probe;
  int port;
};
constexpr std::array kKinds{Kind{"redis", StandbyKind::redis, "redis", 6379},
                            Kind{"postgres", StandbyKind::postgres, "postgres", 5432},
                            Kind{"mariadb", StandbyKind::mariadb, "mysql", 3306}};
const Kind* kind_of(std::string_view word) {
  const auto found = std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& each) { return each.word == word; });
  return found == kKinds.end() ? nullptr : &*found;
}

struct Settings {
  std::string kind;
  std::map<std::string, std::string> members;
  model::RecoveryMode mode = StandbySpec{}.mode;
  std::int64_t max_lag = StandbySpec{}.max_lag;
  base::Millis cooldown = StandbySpec{}.cooldown;
  std::int64_t observers = 0;
  std::vector<std::string> veto, fence, move_traffic, rejoin;
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
                    "What the servers are: redis (and what speaks like it, such as Valkey), postgres or mariadb.")
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
                    "primary was seen to have. MariaDB: transactions, 1000 unless you say another number.")
          .optional("cooldown", &Settings::cooldown, "How long after a promotion there is no other one.")
          .optional("fence", &Settings::fence,
                    "Program, and its arguments, that makes sure that the server of another node, or a frozen one of "
                    "this node, takes no write any more, and exits 0 only if that is so. FETTLE_NODE and "
                    "FETTLE_ADDRESS say which server. Required with kind: postgres, where it is also what closes the "
                    "server of this node.")
          .optional("observers", &Settings::observers,
                    "How many agents of members, but the primary's own, must not reach the primary before the fence "
                    "program is run for it. 0: 2, or 1 with two members.")
          .optional("veto", &Settings::veto,
                    "Program, and its arguments, that is asked before the primary is fenced and another one promoted. "
                    "If it exits with anything but 0, or cannot be run, there is no promotion. FETTLE_NODE and "
                    "FETTLE_ADDRESS say whose server is given up, FETTLE_CANDIDATE whose is promoted.")
          .optional(
              "move_traffic", &Settings::move_traffic,
              "Program, and its arguments, that is run on the node of the primary each time that it begins to take "
              "writes.")
          .optional("rejoin", &Settings::rejoin,
                    "Program, and its arguments, that makes the server here a replica of the new primary: of "
                    "PostgreSQL by pg_rewind or a new base copy, of MariaDB by a new copy where it has transactions "
                    "that the primary has not. FETTLE_PRIMARY_ADDRESS says which that is. Not for Redis.")
          .shows({"kind", "members", "veto", "fence", "move_traffic", "rejoin"})
          .check([](const Settings& in, const config::Complain& complain) {
            const bool postgres = in.kind == "postgres";
            if (kind_of(in.kind) == nullptr) complain("kind", "must be redis, postgres or mariadb");
            if (postgres && in.fence.empty())
              complain("fence",
                       "is required with kind: postgres: no agent can close a PostgreSQL server to writes, only a "
                       "program that ends it, or starts it as a standby");
            if (in.kind == "redis" && !in.rejoin.empty())
              complain("rejoin",
                       "is for postgres and mariadb; a Redis server rejoins by REPLICAOF, which the agent sends");
            if (in.members.size() < 2 || in.members.size() > kMostMembers)
              complain("members", fmt::format("must have 2 to {} servers", kMostMembers));
            if (in.observers < 0 || (in.observers > 0 && in.observers >= static_cast<std::int64_t>(in.members.size())))
              complain("observers", "must be less than there are members: the primary's own agent does not count");
            if (in.max_lag < 0) complain("max_lag", "must not be negative");
            if (in.cooldown.count() < 0) complain("cooldown", "must not be negative");
            check_program(in.veto, "veto", complain);
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
StandbyLogin login_of(const std::string& type, const config::Service& service, const config::Node& node,
                      const std::string& path, config::Errors& errors) {
  const auto is_kind = [&](const config::Node& probe) { return probe.find("type").scalar() == type; };
  for (const config::Node& probe : service.probes) {
    if (!is_kind(probe)) continue;
    if (std::count_if(service.probes.begin(), service.probes.end(), is_kind) > 1)
      errors.add(node.mark(), path,
                 fmt::format("the service has several probes of type {}, and one of them would say how the agent logs "
                             "in; leave one here and give the others to a service of their own",
                             type));
    if (const config::Node role = probe.find("role"); !role.is_null() && role.scalar() != "any")
      errors.add(
          role.mark(), path,
          "the probe of a standby may not ask for a role: the service is up on the replicas, too; take role out");
    return {probe.find("username").scalar(), probe.find("database").scalar(),
            base::Secret(probe.find("password").scalar()), probe.find("password_file").scalar(), tls_of(probe)};
  }
  errors.add(node.mark(), path,
             fmt::format("the service has no probe of type {}, which says how it is and how the agent logs in; add one",
                         type));
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
  spec->mode = in.mode;
  if (errors.size() > before) return nullptr;
  const Kind& kind = *kind_of(in.kind);
  spec->kind = kind.kind;
  const config::Node members = keys.standby.find("members");
  for (const auto& [name, text] : in.members) {
    const auto member = read_member(text);
    if (!member) {
      errors.add(members.find(name).mark(), fmt::format("{}.members.{}", path, name),
                 fmt::format("expected HOST:PORT, such as 10.0.0.1:{}", kind.port));
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
  spec->login = login_of(kind.probe, keys, keys.standby, path, errors);
  spec->max_lag = in.max_lag;
  if (kind.kind == StandbyKind::mariadb && keys.standby.find("max_lag").is_null()) spec->max_lag = kMostTransactions;
  spec->cooldown = in.cooldown;
  spec->observers = static_cast<int>(in.observers > 0 ? in.observers : in.members.size() > 2 ? 2 : 1);
  spec->veto = std::move(in.veto);
  spec->fence = std::move(in.fence);
  spec->move_traffic = std::move(in.move_traffic);
  spec->rejoin = std::move(in.rejoin);
  for (const auto& [key, argv] : {std::pair{"veto", &spec->veto}, std::pair{"fence", &spec->fence},
                                  std::pair{"move_traffic", &spec->move_traffic}, std::pair{"rejoin", &spec->rejoin}})
    if (!argv->empty() && ::access(argv->front().c_str(), X_OK) != 0)
      errors.warn(keys.standby.find(key).mark(), fmt::format("{}.{}", path, key),
                  fmt::format("{}: {}; it fails until that is mended", argv->front(),
                              std::error_code(errno, std::generic_category()).message()));
  if (errors.size() > before) return nullptr;
  return spec;
}

}  // namespace recover
