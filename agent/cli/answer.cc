#include "cli/answer.h"

#include <fmt/format.h>

#include <cmath>

namespace cli {
namespace {

const Json* find(const Json& object, const char* key) {
  if (!object.is_object()) throw WrongAnswer();
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

}  // namespace

std::string printed(const Json& json) { return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); }

base::Error not_an_agent(const std::string& where) {
  return {
      base::Kind::protocol,
      fmt::format("{} does not answer as an agent does: is that its address (--url) or its socket (--admin.socket), "
                  "and no proxy or other program in its place?",
                  where)};
}

Json success_in(const std::string& body) {
  Json answer = Json::parse(body);
  if (text_of(answer, "status") != "success") throw WrongAnswer();
  return answer;
}

Json data_in(const std::string& body) { return success_in(body).at("data"); }

std::string text_of(const Json& object, const char* key) {
  const Json* found = find(object, key);
  return found == nullptr ? "" : found->get<std::string>();
}

double number_of(const Json& object, const char* key) {
  const Json* found = find(object, key);
  if (found != nullptr && !found->is_number()) throw WrongAnswer();
  return found == nullptr ? 0 : found->get<double>();
}

const Json& list_of(const Json& object, const char* key) {
  const Json& found = object.at(key);
  if (!found.is_array()) throw WrongAnswer();
  return found;
}

const Json& mapping_of(const Json& object, const char* key) {
  const Json& found = object.at(key);
  if (!found.is_object()) throw WrongAnswer();
  return found;
}

std::int64_t milliseconds_of(double seconds) {
  constexpr double kMost = 253402300799;  // the end of the year 9999
  if (!std::isfinite(seconds) || std::abs(seconds) > kMost) throw WrongAnswer();
  return std::llround(seconds * 1e3);
}

}  // namespace cli
