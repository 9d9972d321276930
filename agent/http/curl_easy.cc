#include "http/curl_easy.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "net/connect_reason.h"
#include "net/hosts_file.h"

namespace http {
namespace {

using model::Reason;

curl_off_t micros(CURL* easy, CURLINFO which) {
  curl_off_t us = 0;
  curl_easy_getinfo(easy, which, &us);
  return us;
}

// Linger 0: closing resets, so that a thousand probes leave no TIME_WAIT.
curl_socket_t open_socket(void*, curlsocktype, curl_sockaddr* address) {
  const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  if (address->family != AF_UNIX) {
    const linger reset{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  return fd;
}

bool says(std::string_view text, std::string_view what) { return text.find(what) != std::string_view::npos; }

// CURLINFO_OS_ERRNO would tell too, but a handle that is used again keeps the number of an earlier transfer.
bool says_reset(std::string_view text) { return says(text, "reset by peer") || says(text, "Broken pipe"); }

}  // namespace

bool heard_nothing(CURL* easy) {
  long size = 0;
  curl_easy_getinfo(easy, CURLINFO_HEADER_SIZE, &size);
  return size == 0;
}

void append(Slist& list, const std::string& line) {
  curl_slist* grown = curl_slist_append(list.get(), line.c_str());
  CHECK(grown != nullptr);
  static_cast<void>(list.release());
  list.reset(grown);
}

Easy make_easy() {
  Easy easy(curl_easy_init());
  CHECK(easy != nullptr);
  CURL* e = easy.get();
  curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(e, CURLOPT_NOPROXY, "");
  curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(e, CURLOPT_USERAGENT, "fettle");
  curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  // Verification is ours (certificate_verifier.h): curl's own would load the CA bundle for each connection.
  curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
  curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
  curl_easy_setopt(e, CURLOPT_CAINFO, nullptr);
  curl_easy_setopt(e, CURLOPT_CAPATH, nullptr);
  // A resumed session shows no certificates.
  curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L);
  return easy;
}

Origin parse_origin(const std::string& url, std::string& error) {
  const std::unique_ptr<CURLU, FreeUrl> parsed(curl_url());
  const auto part = [&](CURLUPart what) {
    char* text = nullptr;
    std::string out;
    if (curl_url_get(parsed.get(), what, &text, CURLU_DEFAULT_PORT) == CURLUE_OK) out = text;
    curl_free(text);
    return out;
  };
  if (const CURLUcode code = curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0); code != CURLUE_OK) {
    error = url + " is no URL: " + curl_url_strerror(code);
    return {};
  }
  Origin origin{.scheme = part(CURLUPART_SCHEME), .host = part(CURLUPART_HOST), .port = part(CURLUPART_PORT)};
  if (origin.scheme != "http" && origin.scheme != "https") {
    error = url + " is neither http:// nor https://";
    return {};
  }
  if (origin.host.size() > 2 && origin.host.front() == '[') origin.host = origin.host.substr(1, origin.host.size() - 2);
  for (const char c : origin.host)
    if (static_cast<unsigned char>(c) >= 0x80u) error = url + ": write the host's name in its ASCII form (xn--…)";
  origin.literal = !net::parse_literal(origin.host).empty();
  return origin;
}

std::string redirect_url(const std::string& url, const std::string& location) {
  const std::unique_ptr<CURLU, FreeUrl> parsed(curl_url());
  char* text = nullptr;
  std::string out;
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) == CURLUE_OK &&
      curl_url_set(parsed.get(), CURLUPART_URL, location.c_str(), CURLU_URLENCODE) == CURLUE_OK &&
      curl_url_get(parsed.get(), CURLUPART_URL, &text, 0) == CURLUE_OK)
    out = text;
  curl_free(text);
  return out;
}

Progress progress_of(CURL* easy, bool tls) {
  Progress progress;
  progress.connected = micros(easy, CURLINFO_CONNECT_TIME_T) > 0;
  progress.tls_done = progress.connected && (!tls || micros(easy, CURLINFO_APPCONNECT_TIME_T) > 0);
  long sent = 0;
  curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent);
  progress.request_sent = progress.tls_done && sent > 0;
  return progress;
}

std::vector<model::Phase> phases_of(CURL* easy, bool tls) {
  std::vector<model::Phase> phases;
  phases.reserve(5);
  const auto add = [&](std::string_view name, curl_off_t from, curl_off_t to) {
    if (to > 0) phases.push_back({name, std::chrono::microseconds{std::max<curl_off_t>(to - from, 0)}});
  };
  const curl_off_t connect = micros(easy, CURLINFO_CONNECT_TIME_T);
  const curl_off_t start = micros(easy, CURLINFO_STARTTRANSFER_TIME_T);
  add("connect", micros(easy, CURLINFO_NAMELOOKUP_TIME_T), connect);
  if (tls) add("tls", connect, micros(easy, CURLINFO_APPCONNECT_TIME_T));
  add("processing", micros(easy, CURLINFO_PRETRANSFER_TIME_T), start);
  if (start > 0) add("transfer", start, micros(easy, CURLINFO_TOTAL_TIME_T));
  return phases;
}

Reason reason_of(CURLcode code, CURL* easy, bool tls, std::string_view text) {
  switch (code) {
    case CURLE_OK: return Reason::none;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return Reason::dns_error;
    case CURLE_COULDNT_CONNECT: {
      long system_error = 0;
      curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &system_error);
      return net::reason_of_connect(static_cast<int>(system_error));
    }
    case CURLE_OPERATION_TIMEDOUT: {
      const Progress progress = progress_of(easy, tls);
      return !progress.connected  ? Reason::connect_timeout
             : !progress.tls_done ? Reason::tls_handshake
                                  : Reason::read_timeout;
    }
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER: return says_reset(text) ? Reason::reset : Reason::tls_handshake;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      if (says_reset(text)) return Reason::reset;
      // Of TLS 1.3 a client has shaken hands before the server has seen its certificate.
      if (tls && says(text, " alert ") && heard_nothing(easy)) return Reason::tls_handshake;
      // Broken chunks have the same code.
      return says(text, "failure") || says(text, "eof") ? Reason::closed_early : Reason::protocol_error;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE: return Reason::closed_early;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_INTERFACE_FAILED: return Reason::agent_overloaded;
    default: return Reason::protocol_error;
  }
}

}  // namespace http
