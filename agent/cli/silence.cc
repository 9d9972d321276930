#include "cli/silence.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "cli/client.h"
#include "cli/table.h"
#include "model/matcher_text.h"
#include "model/silence.h"

namespace cli {
namespace {

using nlohmann::json;

int complain(const std::string& text) {
  fmt::print(stderr, "fettle: {}\n", text);
  return 1;
}

base::Result<std::string> ask(const std::string& socket, std::string method, const std::string& path) {
  loop::HttpRequest request;
  request.method = std::move(method);
  request.url = "http://localhost" + path;
  request.unix_socket = socket;
  return fetch(std::move(request));
}

std::string text(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string matchers_of(const json& silence) {
  std::string out;
  for (const json& matcher : silence["matchers"]) {
    const bool regex = matcher.value("isRegex", false), equal = matcher.value("isEqual", true);
    out += fmt::format("{}{}{}\"{}\"", out.empty() ? "" : " ", text(matcher, "name"),
                       regex ? (equal ? "=~" : "!~") : (equal ? "=" : "!="),
                       model::escape_label_value(text(matcher, "value")));
  }
  return out;
}

}  // namespace

int run_silence_add(const std::string& socket, const SilenceAddition& addition) {
  if (const auto fit = base::parse_comment(addition.comment); !fit) {
    complain(fit.error().text);
    return 2;
  }
  std::string path =
      fmt::format("/api/v1/silences?author={}&comment={}", url_encode(addition.author), url_encode(addition.comment));
  for (const std::string& matcher : addition.matchers) {
    // Said here, with the command's exit code for a wrong line.
    if (const auto parsed = model::parse_matchers(matcher); !parsed) {
      complain(parsed.error().text);
      return 2;
    }
    path += "&matcher=" + url_encode(matcher);
  }
  path += "&duration=" + url_encode(addition.duration);
  if (!addition.start.empty()) path += "&start=" + url_encode(addition.start);
  if (!addition.end.empty()) path += "&end=" + url_encode(addition.end);
  const auto answer = ask(socket, "POST", path);
  if (!answer) return complain(answer.error().text);
  const json parsed = json::parse(*answer, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("data")) return complain(socket + " does not answer as an agent does");
  fmt::print("{}\n", text(parsed["data"], "silenceID"));
  return 0;
}

int run_silence_list(const std::string& socket, const SilenceListing& listing) {
  const auto answer = ask(socket, "GET", "/api/v1/silences");
  if (!answer) return complain(answer.error().text);
  const json parsed = json::parse(*answer, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("data")) return complain(socket + " does not answer as an agent does");
  json shown = json::array();
  for (const json& silence : parsed["data"]["silences"])
    if ((text(silence["status"], "state") == "expired") == listing.expired) shown.push_back(silence);
  if (listing.output == SilenceOutput::json) {
    fmt::print("{}\n",
               base::foreign_lines(shown.dump(-1, ' ', false, json::error_handler_t::replace), std::string::npos));
    return 0;
  }
  Table table({"ID", "MATCHERS", "STATE", "STARTS AT", "ENDS AT", "CREATED BY", "COMMENT"});
  for (const json& silence : shown) {
    if (listing.output == SilenceOutput::ids) fmt::print("{}\n", text(silence, "id"));
    const std::string state = text(silence["status"], "state");
    table.add({text(silence, "id"),
               matchers_of(silence),
               {state, state == "active" ? Tone::warn : Tone::faint},
               text(silence, "startsAt"),
               text(silence, "endsAt"),
               text(silence, "createdBy"),
               text(silence, "comment")});
  }
  if (listing.output == SilenceOutput::ids) return 0;
  if (shown.empty()) fmt::print("no silence {}\n", listing.expired ? "expired lately" : "is active or pending");
  else fmt::print("{}", table.render(colour_of_stdout()));
  return 0;
}

int run_silence_expire(const std::string& socket, const std::vector<std::string>& ids) {
  int code = 0;
  for (const std::string& id : ids)
    if (const auto answer = ask(socket, "DELETE", "/api/v1/silence/" + url_encode(id)); !answer)
      code = complain(answer.error().text);
  return code;
}

}  // namespace cli
