// How a silence lies in Table::silences.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "notify/silences.h"

namespace notify {
namespace {

using nlohmann::json;

base::Result<model::Matcher> matcher_in(const json& in) {
  const std::string op = in.at("op");
  for (const model::MatchOp known :
       {model::MatchOp::equal, model::MatchOp::not_equal, model::MatchOp::matches, model::MatchOp::not_matches})
    if (op == model::to_string(known))
      return model::Matcher::make(known, in.at("name").get<std::string>(), in.at("value").get<std::string>());
  return base::fail(base::Kind::invalid, fmt::format("unknown operator {}", op));
}

}  // namespace

std::string to_json(const model::Silence& silence) {
  json matchers = json::array();
  for (const model::Matcher& m : silence.matchers)
    matchers.push_back({{"name", m.name()}, {"op", model::to_string(m.op())}, {"value", m.value()}});
  json out{{"id", silence.id},
           {"matchers", std::move(matchers)},
           {"author", silence.author},
           {"comment", silence.comment},
           {"starts_at_ms", base::to_ms(silence.starts_at)},
           {"ends_at_ms", base::to_ms(silence.ends_at)},
           {"updated_at_ms", base::to_ms(silence.updated_at)}};
  if (silence.until_healthy.count() > 0) out["until_healthy_ms"] = silence.until_healthy.count();
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

base::Result<model::Silence> parse_silence(const std::string& text) {
  try {
    const json in = json::parse(text);
    model::Silence out;
    out.id = in.at("id");
    for (const json& item : in.at("matchers")) {
      TRY(auto matcher, matcher_in(item));
      out.matchers.push_back(std::move(matcher));
    }
    out.author = in.at("author");
    out.comment = in.at("comment");
    out.starts_at = base::wall_from_ms(in.at("starts_at_ms").get<std::int64_t>());
    out.ends_at = base::wall_from_ms(in.at("ends_at_ms").get<std::int64_t>());
    out.updated_at = base::wall_from_ms(in.at("updated_at_ms").get<std::int64_t>());
    out.until_healthy = base::Millis{in.value("until_healthy_ms", std::int64_t{0})};
    return out;
  } catch (const json::exception& e) {
    return base::fail(base::Kind::invalid, fmt::format("a silence cannot be read: {}", e.what()));
  }
}

}  // namespace notify
