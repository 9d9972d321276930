// A request and a response as plain values: what handlers see. The server below it is one file (server.cc), so that
// every handler can be tested without a socket.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "web/server/answer_memory.h"

namespace web {

struct Request {
  std::string method = "GET";
  std::string path;                                          // as sent, not decoded
  std::string argument{};                                    // what stands for the {parameter} of its route, decoded
  std::vector<std::pair<std::string, std::string>> headers;  // names as sent
  // Decoded; those of a form body before those of the URL, as Go's http.Request.Form has them.
  std::vector<std::pair<std::string, std::string>> params;
  std::string body;         // of POST
  bool admin = false;       // came over the admin socket, from a user who may change things
  std::string by{};         // who that is: "alice (uid 1000)"; "" over TCP
  bool reads_only = false;  // came over the admin socket, from a user who may only read
  // True when the client has left; may be empty. For handlers that compute for long.
  std::function<bool()> abandoned{};

  std::string header(std::string_view name) const;  // any case; "" if absent
  std::string param(std::string_view name) const;   // the first one; "" if absent
  bool has_param(std::string_view name) const;
  std::vector<std::string> all_params(std::string_view name) const;  // name and name[] alike where Prometheus does
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // besides Content-Type and Content-Length
  AnswerMemory::Share share{};                               // of the body, until it is sent; large answers only
  // Set when the answer is still to come and no thread waits for it: asks for it once, and gives it to its argument, on
  // whatever thread, or never while the agent stops. The rest is then empty.
  std::function<void(std::function<void(Response)>)> later{};
  bool stream = false;  // the server goes on with the events of the status page
};

Response text_response(int status, std::string_view text);  // adds a line end
Response not_allowed(std::string_view allow);               // 405; `allow` as in "GET, HEAD"
std::string_view status_text(int status);

// The fields of a form or a query, decoded.
void add_params(std::string_view form, std::vector<std::pair<std::string, std::string>>& out);

// Takes as long for a first difference at the start as at the end. The lengths may show.
bool same_in_constant_time(std::string_view a, std::string_view b);

}  // namespace web
