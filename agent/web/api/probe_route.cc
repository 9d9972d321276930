#include <fmt/format.h>

#include <cmath>

#include "base/number.h"
#include "base/secret.h"
#include "encoding/accept.h"
#include "encoding/exposition_writer.h"
#include "web/routes.h"

namespace web {
namespace {

// The header that Prometheus sends with each scrape; 0 is none, as for the exporter. nullopt if it is there and no
// number of seconds.
std::optional<base::Millis> scrape_timeout(const Request& request) {
  const std::string text = request.header("X-Prometheus-Scrape-Timeout-Seconds");
  if (text.empty()) return base::Millis{0};
  const auto seconds = base::read_number<double>(text);
  if (!seconds || !(*seconds >= 0) || *seconds > 86'400) return std::nullopt;
  return base::Millis{std::llround(*seconds * 1000)};
}

int status_of(base::Kind kind) {
  switch (kind) {
    case base::Kind::not_found:
    case base::Kind::invalid: return 400;
    case base::Kind::permission: return 403;
    default: return 503;
  }
}

// What a person wants to see who asks why: the verdict, the metrics, the module.
std::string debug_text(const ProbeQuestion& question, const ProbeAnswer& answer) {
  return fmt::format(
      "Probe of {} with module {}\n{}{}: {}\n\n"
      "Metrics that would have been returned:\n{}\nModule configuration:\n{}",
      base::without_secrets(question.target), question.module, answer.up ? "up" : "down",
      answer.reason.empty() ? "" : fmt::format(" ({})", answer.reason), answer.text,
      encoding::expose(answer.families, encoding::Exposition::text), answer.module);
}

Response answer_to(const ProbeQuestion& question, const base::Result<ProbeAnswer>& answer, bool debug,
                   encoding::Exposition format) {
  if (!answer) return text_response(status_of(answer.error().kind), base::without_secrets(answer.error().text));
  if (debug) return text_response(200, debug_text(question, *answer));
  Response response;
  response.content_type = encoding::content_type(format);
  response.body = encoding::expose(answer->families, format);
  return response;
}

}  // namespace

// The run takes as long as its target likes, and no worker waits for it.
Response probe_route(const Request& request, const Context& context) {
  ProbeQuestion question{request.param("module"), request.param("target"), request.param("hostname"), {}};
  if (question.target.empty()) return text_response(400, "Target parameter is missing");
  if (question.module.empty()) question.module = "http_2xx";
  const auto timeout = scrape_timeout(request);
  if (!timeout)
    return text_response(400, fmt::format("X-Prometheus-Scrape-Timeout-Seconds: expected seconds, got \"{}\"",
                                          request.header("X-Prometheus-Scrape-Timeout-Seconds")));
  question.timeout = *timeout;
  Response response;
  response.later = [&context, question, debug = request.param("debug") == "true",
                    format =
                        encoding::preferred_exposition(request.header("Accept"))](std::function<void(Response)> done) {
    context.backend.probe(question, [refusals = context.refusals, question, debug, format,
                                     done = std::move(done)](const base::Result<ProbeAnswer>& answer) {
      if (!answer && answer.error().kind == base::Kind::limit && refusals)
        refusals->count(Refusals::Reason::probe_limit, question.target);
      done(answer_to(question, answer, debug, format));
    });
  };
  return response;
}

}  // namespace web
