#include "model/outcome.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/enum_names.h"
#include "base/text.h"

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
    std::pair{Reason::requests_stalled, "requests_stalled"},
    std::pair{Reason::agent_overloaded, "agent_overloaded"},
};

bool is_name(std::string_view name, std::string_view others) {
  const auto letter = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || others.find(c) != std::string_view::npos;
  };
  return !name.empty() && letter(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

bool has_good_names(const Measurement& m) {
  return is_name(m.name, "_:") &&
         std::all_of(m.labels.begin(), m.labels.end(), [](const Label& label) { return is_name(label.name, "_"); });
}

// Nearly all values are short and printable, and stay as they are.
bool is_fit(std::string_view value) {
  return value.size() <= kLabelValueLimit &&
         std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

Labels fit_labels(const Labels& labels) {
  std::vector<std::string> values;
  values.reserve(labels.size());  // the labels look into it
  std::vector<Label> out;
  for (const Label label : labels)
    out.push_back({label.name, values.emplace_back(base::foreign_lines(label.value, kLabelValueLimit))});
  return Labels(std::move(out));
}

}  // namespace

std::string_view to_string(Reason reason) { return base::name_in(kNames, reason); }
std::optional<Reason> parse_reason(std::string_view name) { return base::value_in(kNames, name); }

const std::vector<Reason>& all_reasons() {
  static const std::vector<Reason> reasons = [] {
    std::vector<Reason> out;
    for (const auto& [value, name] : kNames) out.push_back(value);
    return out;
  }();
  return reasons;
}

void make_fit(Outcome& outcome) {
  outcome.text = base::foreign_text(outcome.text, kTextLimit);
  std::vector<Measurement>& all = outcome.measurements;
  const std::size_t before = all.size();
  std::erase_if(all, [](const Measurement& m) { return !has_good_names(m); });
  bool repaired = false;
  for (Measurement& m : all) {
    const auto fit = [](const Label& label) { return is_fit(label.value); };
    if (std::all_of(m.labels.begin(), m.labels.end(), fit)) continue;
    m.labels = fit_labels(m.labels);
    repaired = true;
  }
  if (repaired) {
    std::set<std::pair<std::string, Labels>> seen;
    std::erase_if(all, [&](const Measurement& m) { return !seen.emplace(m.name, m.labels).second; });
  }
  outcome.left_out += before - all.size();
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

double duration_value(base::Duration took) {
  return static_cast<double>(std::chrono::round<std::chrono::microseconds>(took).count()) / 1e6;
}

}  // namespace model
