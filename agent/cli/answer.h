// What an agent answers, read so that the answer of something else, such as a proxy or another program, ends in one
// sentence whatever is in it: the functions below throw, as at() of nlohmann's JSON does, and read_answer() catches.
#pragma once

#include <exception>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"

namespace cli {

struct WrongAnswer final : std::exception {};

// What a person is told: that `where` is no agent, and what to do.
base::Error not_an_agent(const std::string& where);

// `read` returns a base::Result.
template <typename Read>
auto read_answer(const std::string& where, const Read& read) -> decltype(read()) {
  try {
    return read();
  } catch (const nlohmann::json::exception&) {
    return tl::unexpected<base::Error>(not_an_agent(where));
  } catch (const WrongAnswer&) {
    return tl::unexpected<base::Error>(not_an_agent(where));
  }
}

// The answer, which says of itself that it is a success.
nlohmann::ordered_json success_in(const std::string& body);
// "data" of it.
nlohmann::ordered_json data_in(const std::string& body);

using Json = nlohmann::ordered_json;

// As a command prints it; U+FFFD in the place of what is no UTF-8.
std::string printed(const Json& json);

// "" for what is not there or null; anything else must be a text.
std::string text_of(const Json& object, const char* key);
double number_of(const Json& object, const char* key);  // 0 for what is not there
const Json& list_of(const Json& object, const char* key);
const Json& mapping_of(const Json& object, const char* key);
// Milliseconds of a time or a length in seconds, if it is one that a clock can show.
std::int64_t milliseconds_of(double seconds);

}  // namespace cli
