#include "cli/admin.h"

#include <fmt/format.h>

#include <cstdio>

#include "base/percent.h"
#include "base/terminal.h"
#include "base/text.h"
#include "cli/answer.h"
#include "cli/client.h"

namespace cli {
namespace {

int report(const base::Result<std::string>& answer) {
  if (!answer) {
    base::print(stderr, "fettle: {}\n", answer.error().text);
    return 1;
  }
  base::print(stdout, "{}\n", *answer);
  return 0;
}

// Of a change without data: `done` says what is so now.
base::Result<std::string> change(const std::string& socket, const std::string& path, const std::string& done) {
  return read_answer(socket, [&]() -> base::Result<std::string> {
    TRY(const std::string answer, post_admin(socket, path));
    (void)success_in(answer);
    return done;
  });
}

// The sentence in the answer, or the answer as it came.
base::Result<std::string> told(const std::string& socket, const std::string& path, AnswerOutput output) {
  return read_answer(socket, [&]() -> base::Result<std::string> {
    TRY(const std::string answer, post_admin(socket, path));
    const auto sentence = data_in(answer).get<std::string>();
    return output == AnswerOutput::json ? answer : sentence;
  });
}

}  // namespace

int run_reload(const std::string& socket) {
  return report(change(socket, "/-/reload", "the new configuration is running"));
}

int run_maintenance(const std::string& socket, const std::string& state, const std::string& service,
                    const std::string& length, const std::string& comment) {
  if (const auto fit = base::parse_comment(comment); !fit) return report(fit);
  const std::string path =
      fmt::format("/api/v1/maintenance/{}?on={}&for={}&comment={}", base::percent_encode(service),
                  state == "on" ? "true" : "false", base::percent_encode(length), base::percent_encode(comment));
  if (state != "on") return report(change(socket, path, fmt::format("{} is out of maintenance", service)));
  const auto under_way = told(socket, path, AnswerOutput::text);
  if (!under_way) return report(under_way);
  return report(fmt::format("{} is in maintenance{}: fettle probes it and alerts, and {}", service,
                            length.empty() ? "" : " for " + length,
                            under_way->empty() ? "leaves it alone" : "stops acting: " + *under_way));
}

int run_recover(const std::string& socket, const std::string& service, const std::string& comment, Rehearsal rehearsal,
                AnswerOutput output) {
  if (const auto fit = base::parse_comment(comment); !fit) return report(fit);
  return report(told(socket,
                     fmt::format("/api/v1/recover/{}?dry_run={}&comment={}", base::percent_encode(service),
                                 rehearsal == Rehearsal::yes ? "true" : "false", base::percent_encode(comment)),
                     output));
}

int run_abort(const std::string& socket, const std::string& service, const std::string& comment, AnswerOutput output) {
  if (const auto fit = base::parse_comment(comment); !fit) return report(fit);
  return report(told(
      socket,
      fmt::format("/api/v1/recover/{}/abort?comment={}", base::percent_encode(service), base::percent_encode(comment)),
      output));
}

int run_ack(const std::string& socket, const std::string& service, const std::string& comment) {
  if (const auto fit = base::parse_comment(comment); !fit) return report(fit);
  return report(change(
      socket, fmt::format("/api/v1/ack/{}?comment={}", base::percent_encode(service), base::percent_encode(comment)),
      fmt::format("{} may be recovered again, with its whole budget", service)));
}

}  // namespace cli
