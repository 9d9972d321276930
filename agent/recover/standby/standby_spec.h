// A hot standby as it is configured: which servers hold the same data, and under what conditions another one of them
// becomes the primary. The same text stands on all nodes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/secret.h"
#include "base/time.h"
#include "config/agent_config.h"
#include "config/schema.h"
#include "model/action_report.h"
#include "net/tls/tls_config.h"

namespace recover {

struct StandbyMember {
  std::string host;
  std::uint16_t port = 0;
  std::string text() const { return host + ":" + std::to_string(port); }
  bool operator==(const StandbyMember&) const = default;
};

enum class StandbyKind { redis, postgres, mariadb };

// How the agent logs in at every member.
struct StandbyLogin {
  std::string username, database;
  base::Secret password;
  std::string password_file;
  std::shared_ptr<net::TlsContext> tls{};  // null: in the clear
};

struct StandbySpec {
  std::string service;
  StandbyKind kind = StandbyKind::redis;
  std::map<std::string, StandbyMember> members;  // by node; this one is among them
  model::RecoveryMode mode = model::RecoveryMode::ask;
  std::int64_t max_lag = 1'048'576;  // bytes that a candidate may lack; of MariaDB transactions
  base::Millis cooldown{600'000};    // after a promotion
  // Agents of members that must not reach the primary before a program fences it; this one is among them.
  int observers = 1;
  std::vector<std::string> veto;   // argv; empty: none
  std::vector<std::string> fence;  // argv; empty: none
  std::vector<std::string> move_traffic;
  std::vector<std::string> rejoin;
  StandbyLogin login;

  // An agent can close a server to writes and open it. Where it cannot, a server is open as soon as it is the primary,
  // and only the fence program ends that.
  bool closes() const { return kind != StandbyKind::postgres; }
  // What an offset counts.
  const char* unit() const { return kind == StandbyKind::mariadb ? "transactions" : "bytes"; }
};
using Standby = std::shared_ptr<const StandbySpec>;

const std::vector<config::KeyReference>& standby_reference();

// `standby` of a service; null if there is none or it has mistakes. `fleet`: the agent's own, whose store elects.
Standby parse_standby(const std::string& service, const config::Service& keys, const std::string& node,
                      const config::Node& fleet, config::Errors& errors);

}  // namespace recover
