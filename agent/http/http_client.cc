#include "http/http_client.h"

#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.h"
#include "base/check.h"
#include "http/curl_multi.h"
#include "net/hosts_file.h"
#include "net/resolver.h"
#include "net/time_wait.h"

namespace http {
namespace {

constexpr std::size_t kIdleHandles = 64;
constexpr std::size_t kKnownOrigins = 1024;

}  // namespace

const std::string* find_header(const Headers& headers, std::string_view name) {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [&](const auto& header) { return base::same_word(header.first, name); });
  return found == headers.end() ? nullptr : &found->second;
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string refused_credentials(const HttpResponse& response) {
  const std::string status = "status " + std::to_string(response.status);
  if (!response.without_credentials) return status + ": the credentials were refused";
  return status + " from " + response.effective_url +
         ", where a redirect led; the credentials are for another host and were not sent there";
}

std::string tls_name_of(const Headers& headers) {
  const std::string* host = find_header(headers, "Host");
  if (host == nullptr || host->find('[') != std::string::npos) return "";
  const std::string name = host->substr(0, host->find(':'));
  return net::parse_literal(name).empty() ? name : "";
}

CurlHttpClient::Multi::Multi(loop::EventLoop& l, net::Resolver& r) : loop(l), resolver(r) {
  CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
  curl = curl_multi_init();
  CHECK(curl != nullptr);
  curl_multi_setopt(curl, CURLMOPT_SOCKETFUNCTION, &Multi::on_socket);
  curl_multi_setopt(curl, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(curl, CURLMOPT_TIMERFUNCTION, &Multi::on_timer);
  curl_multi_setopt(curl, CURLMOPT_TIMERDATA, this);
}

CurlHttpClient::Multi::~Multi() {
  idle.clear();
  curl_multi_cleanup(curl);  // closes kept connections, which drops their watches
  sockets.clear();
  curl_global_cleanup();
}

const Origin& CurlHttpClient::Multi::origin_of(const std::string& url, std::string& error) {
  static const Origin none;
  if (const auto known = origins.find(url); known != origins.end()) return known->second;
  Origin origin = parse_origin(url, error);
  if (!error.empty()) return none;
  if (origins.size() >= kKnownOrigins) origins.clear();
  return origins.emplace(url, std::move(origin)).first->second;
}

Easy CurlHttpClient::Multi::take_easy() {
  if (idle.empty()) return make_easy();
  Easy easy = std::move(idle.back());
  idle.pop_back();
  return easy;
}

void CurlHttpClient::Multi::give_back(Easy easy, bool kept) {
  // curl counts in the handle how often a kept connection turned out to be dead, and gives up at the sixth, however
  // many requests were answered in between.
  if (kept) return;
  // Nothing of the request is to be touched once it is gone.
  CURL* e = easy.get();
  curl_easy_setopt(e, CURLOPT_ERRORBUFFER, nullptr);
  curl_easy_setopt(e, CURLOPT_HTTPHEADER, nullptr);
  curl_easy_setopt(e, CURLOPT_RESOLVE, nullptr);
  curl_easy_setopt(e, CURLOPT_POSTFIELDS, nullptr);
  curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
  if (idle.size() < kIdleHandles) idle.push_back(std::move(easy));
}

int CurlHttpClient::Multi::on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void*) {
  auto& multi = *static_cast<Multi*>(self);
  if (what == CURL_POLL_REMOVE) {
    multi.sockets.erase(fd);
    multi.watch_idle(easy, fd);
    return 0;
  }
  const loop::Ready want{.read = (what & CURL_POLL_IN) != 0, .write = (what & CURL_POLL_OUT) != 0};
  multi.sockets[fd] = multi.loop.watch(fd, want, [&multi, fd](loop::Ready ready) {
    multi.drive(fd, (ready.read ? CURL_CSELECT_IN : 0) | (ready.write ? CURL_CSELECT_OUT : 0));
  });
  return 0;
}

// What comes over a kept connection that nobody asks is no answer to the next request: 408 for the client's silence,
// say. curl 7.88 would take it for one; a connection that has ended it leaves alone.
void CurlHttpClient::Multi::watch_idle(CURL* easy, curl_socket_t fd) {
  long version = 0;
  curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
  if (version != CURL_HTTP_VERSION_1_0 && version != CURL_HTTP_VERSION_1_1) return;  // HTTP/2 says what is for whom
  sockets[fd] = loop.watch(fd, {.read = true}, [this, fd](loop::Ready) {
    std::array<char, 4096> unasked;
    while (::recv(fd, unasked.data(), unasked.size(), MSG_DONTWAIT) > 0) {
    }
    ::shutdown(fd, SHUT_RDWR);
    sockets.erase(fd);
  });
}

int CurlHttpClient::Multi::on_timer(CURLM*, long ms, void* self) {
  auto& multi = *static_cast<Multi*>(self);
  multi.timer.reset();
  if (ms >= 0) multi.timer = multi.loop.after(base::Millis{ms}, [&multi] { multi.drive(CURL_SOCKET_TIMEOUT, 0); });
  return 0;
}

// The watch goes before the descriptor, so that the number may be used again at once.
int CurlHttpClient::Multi::on_close(void* self, curl_socket_t fd) {
  static_cast<Multi*>(self)->sockets.erase(fd);
  net::note_closing(fd);
  return ::close(fd);
}

void CurlHttpClient::Multi::drive(curl_socket_t fd, int what) {
  int running = 0, left = 0;
  curl_multi_socket_action(curl, fd, what, &running);
  while (const CURLMsg* message = curl_multi_info_read(curl, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    char* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    // May drop this transfer and others: curl forgets the messages of handles that leave.
    reinterpret_cast<Transfer*>(transfer)->finished(message->data.result);
  }
}

CurlHttpClient::CurlHttpClient(loop::EventLoop& loop, net::Resolver& resolver)
    : multi_(std::make_unique<Multi>(loop, resolver)) {}
CurlHttpClient::~CurlHttpClient() = default;

loop::Handle CurlHttpClient::request(HttpRequest request, std::function<void(HttpResponse)> done) {
  return loop::Handle(std::make_unique<Multi::Transfer>(*multi_, std::move(request), std::move(done)));
}

}  // namespace http
