#include "cli/admin.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/client.h"

namespace cli {
namespace {

int report(const base::Result<std::string>& answer, const std::string& done) {
  if (!answer) {
    fmt::print(stderr, "fettle: {}\n", answer.error().text);
    return 1;
  }
  fmt::print("{}\n", done);
  return 0;
}

}  // namespace

int run_reload(const std::string& socket) {
  return report(post_admin(socket, "/-/reload"), "the new configuration is running");
}

int run_maintenance(const std::string& socket, const std::string& state, const std::string& service,
                    const std::string& length, const std::string& comment) {
  const std::string path = fmt::format("/api/v1/maintenance/{}?on={}&for={}&comment={}", url_encode(service),
                                       state == "on" ? "true" : "false", url_encode(length), url_encode(comment));
  return report(post_admin(socket, path),
                state == "on" ? fmt::format("{} is in maintenance{}: fettle probes it and alerts, and leaves it alone",
                                            service, length.empty() ? "" : " for " + length)
                              : fmt::format("{} is out of maintenance", service));
}

int run_recover(const std::string& socket, const std::string& service, const std::string& comment,
                Rehearsal rehearsal) {
  const auto answer =
      post_admin(socket, fmt::format("/api/v1/recover/{}?dry_run={}&comment={}", url_encode(service),
                                     rehearsal == Rehearsal::yes ? "true" : "false", url_encode(comment)));
  const auto parsed = answer ? nlohmann::json::parse(*answer, nullptr, false) : nlohmann::json();
  return report(answer, parsed.is_object() ? parsed.value("data", "") : "");
}

int run_ack(const std::string& socket, const std::string& service, const std::string& comment) {
  return report(post_admin(socket, fmt::format("/api/v1/ack/{}?comment={}", url_encode(service), url_encode(comment))),
                fmt::format("{} may be recovered again, with its whole budget", service));
}

}  // namespace cli
