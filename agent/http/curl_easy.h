// libcurl's handles with owners, and the options that every request of ours has. Used inside http/ only.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/outcome.h"

namespace http {

struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, FreeEasy>;
using Slist = std::unique_ptr<curl_slist, FreeList>;

void append(Slist& list, const std::string& line);

// A handle with the options that never change from request to request.
Easy make_easy();

// The parts of a URL that decide where to connect.
struct Origin {
  std::string scheme;  // http or https
  std::string host;    // without brackets
  std::string port;
  bool literal = false;  // the host is an address: nothing to resolve
  friend bool operator==(const Origin&, const Origin&) = default;
};
// Empty text in `error` if it is good.
Origin parse_origin(const std::string& url, std::string& error);

// Where the Location of an answer from `url` leads; "" if that is no URL.
std::string redirect_url(const std::string& url, const std::string& location);

// How far a transfer came, by curl's clock.
struct Progress {
  bool connected = false;
  bool tls_done = false;
  bool request_sent = false;
};
Progress progress_of(CURL* easy, bool tls);

// The phases that the last request of the handle reached, without resolve.
std::vector<model::Phase> phases_of(CURL* easy, bool tls);

// Not a byte of an answer has come.
bool heard_nothing(CURL* easy);

// The reason for a failed transfer that is neither a refused certificate nor too large a body. `text` is what curl
// wrote into the error buffer.
model::Reason reason_of(CURLcode code, CURL* easy, bool tls, std::string_view text);

}  // namespace http
