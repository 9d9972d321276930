#include "cli/admin.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/client.h"

namespace cli {
namespace {

int report(const base::Result<std::string>& answer, const std::string& done) {
  if (!answer) {
    fmt::print(stderr, "fettle: {}\n", answer.error().text);
    return 1;
  }
  fmt::print("{}\n", base::foreign_lines(done, std::string::npos));
  return 0;
}

// The sentence in an answer of the API; "" without one.
std::string sentence(const std::string& answer) {
  const auto parsed = nlohmann::json::parse(answer, nullptr, false);
  const auto data = parsed.is_object() ? parsed.find("data") : parsed.end();
  return parsed.is_object() && data != parsed.end() && data->is_string() ? data->get<std::string>() : "";
}

int report_sentence(const base::Result<std::string>& answer, AnswerOutput output) {
  return report(answer, !answer ? "" : output == AnswerOutput::json ? *answer : sentence(*answer));
}

}  // namespace

int run_reload(const std::string& socket) {
  return report(post_admin(socket, "/-/reload"), "the new configuration is running");
}

int run_maintenance(const std::string& socket, const std::string& state, const std::string& service,
                    const std::string& length, const std::string& comment) {
  if (const auto fit = base::parse_comment(comment); !fit) return report(fit, "");
  const std::string path = fmt::format("/api/v1/maintenance/{}?on={}&for={}&comment={}", url_encode(service),
                                       state == "on" ? "true" : "false", url_encode(length), url_encode(comment));
  const auto answer = post_admin(socket, path);
  if (state != "on") return report(answer, fmt::format("{} is out of maintenance", service));
  const std::string under_way = answer ? sentence(*answer) : "";
  return report(answer, fmt::format("{} is in maintenance{}: fettle probes it and alerts, and {}", service,
                                    length.empty() ? "" : " for " + length,
                                    under_way.empty() ? "leaves it alone" : "stops acting: " + under_way));
}

int run_recover(const std::string& socket, const std::string& service, const std::string& comment, Rehearsal rehearsal,
                AnswerOutput output) {
  if (const auto fit = base::parse_comment(comment); !fit) return report(fit, "");
  const auto answer =
      post_admin(socket, fmt::format("/api/v1/recover/{}?dry_run={}&comment={}", url_encode(service),
                                     rehearsal == Rehearsal::yes ? "true" : "false", url_encode(comment)));
  return report_sentence(answer, output);
}

int run_abort(const std::string& socket, const std::string& service, const std::string& comment, AnswerOutput output) {
  if (const auto fit = base::parse_comment(comment); !fit) return report(fit, "");
  return report_sentence(
      post_admin(socket, fmt::format("/api/v1/recover/{}/abort?comment={}", url_encode(service), url_encode(comment))),
      output);
}

int run_ack(const std::string& socket, const std::string& service, const std::string& comment) {
  if (const auto fit = base::parse_comment(comment); !fit) return report(fit, "");
  return report(post_admin(socket, fmt::format("/api/v1/ack/{}?comment={}", url_encode(service), url_encode(comment))),
                fmt::format("{} may be recovered again, with its whole budget", service));
}

}  // namespace cli
