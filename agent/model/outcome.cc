#include "model/outcome.h"

#include <array>
#include <utility>

namespace model {
namespace {

constexpr std::array kNames{
    std::pair{Reason::dns_error, "dns_error"},
    std::pair{Reason::refused, "refused"},
    std::pair{Reason::connect_timeout, "connect_timeout"},
    std::pair{Reason::unreachable, "unreachable"},
    std::pair{Reason::reset, "reset"},
    std::pair{Reason::tls_handshake, "tls_handshake"},
    std::pair{Reason::tls_verify, "tls_verify"},
    std::pair{Reason::tls_expired, "tls_expired"},
    std::pair{Reason::send_timeout, "send_timeout"},
    std::pair{Reason::read_timeout, "read_timeout"},
    std::pair{Reason::closed_early, "closed_early"},
    std::pair{Reason::protocol_error, "protocol_error"},
    std::pair{Reason::status_mismatch, "status_mismatch"},
    std::pair{Reason::header_mismatch, "header_mismatch"},
    std::pair{Reason::body_mismatch, "body_mismatch"},
    std::pair{Reason::json_mismatch, "json_mismatch"},
    std::pair{Reason::too_large, "too_large"},
    std::pair{Reason::too_slow, "too_slow"},
    std::pair{Reason::auth_failed, "auth_failed"},
    std::pair{Reason::exit_code, "exit_code"},
    std::pair{Reason::signal, "signal"},
    std::pair{Reason::exec_timeout, "exec_timeout"},
    std::pair{Reason::process_gone, "process_gone"},
    std::pair{Reason::unit_failed, "unit_failed"},
    std::pair{Reason::heartbeat_missed, "heartbeat_missed"},
    std::pair{Reason::queue_saturated, "queue_saturated"},
    std::pair{Reason::agent_overloaded, "agent_overloaded"},
};

}  // namespace

std::string_view to_string(Reason reason) {
  for (const auto& [value, name] : kNames)
    if (value == reason) return name;
  return "";
}

std::optional<Reason> parse_reason(std::string_view name) {
  for (const auto& [value, known] : kNames)
    if (name == known) return value;
  return std::nullopt;
}

const std::vector<Reason>& all_reasons() {
  static const std::vector<Reason> reasons = [] {
    std::vector<Reason> out;
    for (const auto& [value, name] : kNames) out.push_back(value);
    return out;
  }();
  return reasons;
}

Outcome Outcome::success(std::string text) {
  Outcome outcome;
  outcome.up = true;
  outcome.text = std::move(text);
  return outcome;
}

Outcome Outcome::failure(Reason reason, std::string text) {
  Outcome outcome;
  outcome.reason = reason;
  outcome.text = std::move(text);
  return outcome;
}

}  // namespace model
