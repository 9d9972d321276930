// Silences over HTTP: the list for everybody, in the fields of Alertmanager's API; adding and expiring over the admin
// socket.
#include <fmt/format.h>

#include <iterator>
#include <string_view>

#include "base/text.h"
#include "model/matcher_text.h"
#include "web/api/answer.h"
#include "web/routes.h"

namespace web {
namespace {

void write_silence(const model::Silence& silence, base::WallTime now, encoding::Json& json) {
  json.object([&] {
    json.key("id").string(silence.id);
    json.key("status").object([&] { json.key("state").string(model::to_string(silence.state(now))); });
    json.key("matchers").array([&] {
      for (const model::Matcher& matcher : silence.matchers)
        json.object([&] {
          const model::MatchOp op = matcher.op();
          json.key("name").string(matcher.name());
          json.key("value").string(matcher.value());
          json.key("isRegex").boolean(op == model::MatchOp::matches || op == model::MatchOp::not_matches);
          json.key("isEqual").boolean(op == model::MatchOp::equal || op == model::MatchOp::matches);
        });
    });
    json.key("startsAt").time(silence.starts_at);
    json.key("endsAt").time(silence.ends_at);
    json.key("updatedAt").time(silence.updated_at);
    json.key("createdBy").string(silence.author);
    json.key("comment").string(silence.comment);
    if (silence.until_healthy.count() > 0)
      json.key("untilHealthy").string(base::format_duration(silence.until_healthy));
  });
}

base::Result<std::optional<base::WallTime>> time_of(const Request& request, std::string_view name) {
  if (request.param(name).empty()) return std::optional<base::WallTime>{};
  TRY(const std::int64_t ms, time_param(request, name, 0, promql::Compat::v3));
  return std::optional(base::wall_from_ms(ms));
}

base::Result<model::SilenceRequest> request_of(const Request& request) {
  model::SilenceRequest out;
  for (const std::string& text : request.all_params("matcher")) {
    TRY(auto matchers, model::parse_matchers(text));
    std::move(matchers.begin(), matchers.end(), std::back_inserter(out.matchers));
  }
  TRY(out.starts_at, time_of(request, "start"));
  TRY(out.ends_at, time_of(request, "end"));
  if (const std::string length = request.param("duration"); !length.empty()) {
    const auto parsed = base::parse_duration(length);
    if (!parsed)
      return base::fail(base::Kind::invalid, fmt::format("expected a duration such as 2h, got \"{}\"", length));
    out.length = *parsed;
  }
  if (const std::string healthy = request.param("until_healthy"); !healthy.empty()) {
    const auto parsed = base::parse_duration(healthy);
    if (!parsed || *parsed <= base::Millis{0})
      return base::fail(base::Kind::invalid, fmt::format("expected a duration such as 10m, got \"{}\"", healthy));
    out.until_healthy = *parsed;
  }
  if (request.param("author").size() > base::kCommentLimit)
    return base::fail(base::Kind::invalid,
                      fmt::format("the author's name is longer than {} bytes", base::kCommentLimit));
  out.author = base::foreign_text(request.param("author"), base::kCommentLimit);
  TRY(out.comment, base::parse_comment(request.param("comment")));
  return out;
}

}  // namespace

Response add_silence_route(const Request& request, const Context& context) {
  const auto wanted = request_of(request);
  if (!wanted) return change_answer(wanted);
  const auto id = context.backend.change(
      asked_by(request), [wanted = *wanted](AdminBackend& admin, auto done) { admin.add_silence(wanted, done); });
  if (!id) return change_answer(id);
  return api_success([&](encoding::Json& json) { json.object([&] { json.key("silenceID").string(*id); }); });
}

Response expire_silence_route(const Request& request, const Context& context) {
  return change_answer(context.backend.change(
      asked_by(request), [id = request.argument](AdminBackend& admin, auto done) { admin.expire_silence(id, done); }));
}

Response api_silences(const Request&, const Context& context) {
  const auto snapshot = context.slot.load();
  const base::WallTime now = context.now();
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      json.key("silences").array([&] {
        for (const model::Silence& silence : snapshot->silences) write_silence(silence, now, json);
      });
    });
  });
}

}  // namespace web
