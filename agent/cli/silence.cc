#include "cli/silence.h"

#include <fmt/format.h>

#include <cstdio>
#include <string_view>
#include <utility>

#include "base/percent.h"
#include "base/terminal.h"
#include "base/text.h"
#include "cli/answer.h"
#include "cli/client.h"
#include "cli/table.h"
#include "model/matcher_text.h"
#include "model/silence.h"

namespace cli {
namespace {

int complain(const std::string& text) {
  base::print(stderr, "fettle: {}\n", text);
  return 1;
}

base::Result<std::string> ask(const std::string& socket, std::string method, const std::string& path) {
  http::HttpRequest request;
  request.method = std::move(method);
  request.url = "http://localhost" + path;
  request.unix_socket = socket;
  return fetch(std::move(request));
}

std::string matchers_of(const Json& silence) {
  std::string out;
  for (const Json& matcher : list_of(silence, "matchers")) {
    const bool regex = matcher.value("isRegex", false), equal = matcher.value("isEqual", true);
    out += fmt::format("{}{}{}\"{}\"", out.empty() ? "" : " ", text_of(matcher, "name"),
                       regex ? (equal ? "=~" : "!~") : (equal ? "=" : "!="),
                       model::escape_label_value(text_of(matcher, "value")));
  }
  return out;
}

std::string listed(const Json& data, const SilenceListing& listing) {
  Json shown = Json::array();
  for (const Json& silence : list_of(data, "silences"))
    if ((text_of(silence.at("status"), "state") == "expired") == listing.expired) shown.push_back(silence);
  if (listing.output == SilenceOutput::json)
    return shown.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  Table table({"ID", "MATCHERS", "STATE", "STARTS AT", "ENDS AT", "CREATED BY", "COMMENT"});
  std::string ids;
  for (const Json& silence : shown) {
    const auto id = silence.at("id").get<std::string>();
    ids += base::foreign_text(id, std::string::npos) + "\n";
    const std::string state = text_of(silence.at("status"), "state");
    table.add({id,
               matchers_of(silence),
               {state, state == "active" ? Tone::warn : Tone::faint},
               text_of(silence, "startsAt"),
               text_of(silence, "endsAt"),
               text_of(silence, "createdBy"),
               text_of(silence, "comment")});
  }
  if (listing.output == SilenceOutput::ids) return ids;
  if (shown.empty()) return fmt::format("no silence {}\n", listing.expired ? "expired lately" : "is active or pending");
  return table.render(colour_of_stdout());
}

}  // namespace

int run_silence_add(const std::string& socket, const SilenceAddition& addition) {
  if (const auto fit = base::parse_comment(addition.comment); !fit) {
    complain(fit.error().text);
    return 2;
  }
  std::string path = fmt::format("/api/v1/silences?author={}&comment={}", base::percent_encode(addition.author),
                                 base::percent_encode(addition.comment));
  for (const std::string& matcher : addition.matchers) {
    // Said here, with the command's exit code for a wrong line.
    if (const auto parsed = model::parse_matchers(matcher); !parsed) {
      complain(parsed.error().text);
      return 2;
    }
    path += "&matcher=" + base::percent_encode(matcher);
  }
  path += "&duration=" + base::percent_encode(addition.duration);
  if (!addition.start.empty()) path += "&start=" + base::percent_encode(addition.start);
  if (!addition.end.empty()) path += "&end=" + base::percent_encode(addition.end);
  const auto id = read_answer(socket, [&]() -> base::Result<std::string> {
    TRY(const std::string answer, ask(socket, "POST", path));
    return data_in(answer).at("silenceID").get<std::string>();
  });
  if (!id) return complain(id.error().text);
  base::print(stdout, "{}\n", *id);
  return 0;
}

int run_silence_list(const std::string& socket, const SilenceListing& listing) {
  const auto text = read_answer(socket, [&]() -> base::Result<std::string> {
    TRY(const std::string answer, ask(socket, "GET", "/api/v1/silences"));
    return listed(data_in(answer), listing);
  });
  if (!text) return complain(text.error().text);
  base::print(stdout, "{}", *text);
  return 0;
}

int run_silence_expire(const std::string& socket, const std::vector<std::string>& ids) {
  int code = 0;
  for (const std::string& id : ids) {
    const auto expired = read_answer(socket, [&]() -> base::Result<> {
      TRY(const std::string answer, ask(socket, "DELETE", "/api/v1/silence/" + base::percent_encode(id)));
      (void)success_in(answer);
      return {};
    });
    if (!expired) code = complain(expired.error().text);
  }
  return code;
}

}  // namespace cli
