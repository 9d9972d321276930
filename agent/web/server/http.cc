#include "web/server/http.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/percent.h"
#include "base/text.h"

namespace web {

std::string Request::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (base::same_word(key, name)) return value;
  return "";
}

std::string Request::param(std::string_view name) const {
  for (const auto& [key, value] : params)
    if (key == name) return value;
  return "";
}

bool Request::has_param(std::string_view name) const {
  return std::any_of(params.begin(), params.end(), [&](const auto& p) { return p.first == name; });
}

std::vector<std::string> Request::all_params(std::string_view name) const {
  std::vector<std::string> out;
  for (const auto& [key, value] : params)
    if (key == name) out.push_back(value);
  return out;
}

Response text_response(int status, std::string_view text) {
  Response response;
  response.status = status;
  response.body = base::foreign_lines(text, std::string::npos);
  response.body += '\n';
  return response;
}

Response not_allowed(std::string_view allow) {
  Response response = text_response(405, "Method not allowed; here it is " + std::string(allow) + ".");
  response.headers.emplace_back("Allow", allow);
  return response;
}

std::string_view status_text(int status) {
  switch (status) {
    case 200: return "OK";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Status";
  }
}

void add_params(std::string_view form, std::vector<std::pair<std::string, std::string>>& out) {
  while (!form.empty()) {
    std::string_view value = base::take_until(form, '&');
    if (value.empty()) continue;
    std::string name = base::form_decode(base::take_until(value, '='));
    out.emplace_back(std::move(name), base::form_decode(value));
  }
}

bool same_in_constant_time(std::string_view a, std::string_view b) {
  volatile unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char other = b.empty() ? '\0' : b[i % b.size()];
    difference = difference | (static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(other));
  }
  return difference == 0;
}

}  // namespace web
