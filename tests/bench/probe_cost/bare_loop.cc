#include "bench/probe_cost/bare_loop.h"

#include <netinet/tcp.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "bench/probe_cost/target.h"

namespace bench {
namespace {

// The bytes that a probe of ours sends.
const std::string kRequest =
    "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:80800\r\nUser-Agent: fettle\r\nAccept: */*\r\n\r\n";
const std::string kLastRequest =
    "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:80800\r\nUser-Agent: fettle\r\nAccept: */*\r\nConnection: "
    "close\r\n\r\n";

void expect_200(const char* text, ssize_t size) {
  constexpr std::string_view want = "HTTP/1.1 200";
  if (size < 0 || !std::string_view(text, static_cast<std::size_t>(size)).starts_with(want))
    die("the target's answer to the bare loop");
}

}  // namespace

BareLoop::BareLoop(int port, const std::string& authority) : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  address_.sin_family = AF_INET;
  address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address_.sin_port = htons(static_cast<std::uint16_t>(port));
  if (authority.empty()) return;
  context_.reset(SSL_CTX_new(TLS_client_method()));
  if (SSL_CTX_load_verify_locations(context_.get(), authority.c_str(), nullptr) != 1) die("load " + authority);
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_set_ex_data(context_.get(), 0, this);
  SSL_CTX_sess_set_new_cb(context_.get(), [](SSL* ssl, SSL_SESSION* session) {
    auto* self = static_cast<BareLoop*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0));
    self->session_.reset(session);
    return 1;  // it is ours now
  });
}

void BareLoop::wait_for(int fd, std::uint32_t events, bool is_new) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.value(), is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) != 0) die("epoll_ctl");
  while (::epoll_wait(epoll_.value(), &event, 1, -1) < 1)
    if (errno != EINTR) die("epoll_wait");
}

// Registered with epoll from then on.
base::UniqueFd BareLoop::connect() {
  base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const linger reset{.l_onoff = 1, .l_linger = 0};
  const int on = 1;
  ::setsockopt(fd.value(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  ::setsockopt(fd.value(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd.value(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0 && errno != EINPROGRESS)
    die("connect");
  wait_for(fd.value(), EPOLLOUT, true);
  int code = 0;
  socklen_t size = sizeof code;
  ::getsockopt(fd.value(), SOL_SOCKET, SO_ERROR, &code, &size);
  if (code != 0) die("connect");
  return fd;
}

void BareLoop::exchange(int fd, bool is_new, const std::string& request) {
  if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) die("send");
  wait_for(fd, EPOLLIN, is_new);
  char answer[4096];
  expect_200(answer, ::recv(fd, answer, sizeof answer, 0));
}

void BareLoop::tcp() { const base::UniqueFd fd = connect(); }

void BareLoop::http() {
  const base::UniqueFd fd = connect();
  exchange(fd.value(), false, kLastRequest);
}

void BareLoop::http_again() {
  if (!kept_) kept_ = connect();
  exchange(kept_.value(), false, kRequest);
}

void BareLoop::exchange_over_tls(SSL_SESSION* resumed) {
  const base::UniqueFd fd = connect();
  const std::unique_ptr<SSL, FreeTls> ssl(SSL_new(context_.get()));
  SSL_set_fd(ssl.get(), fd.value());
  X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), "127.0.0.1");
  if (resumed != nullptr) SSL_set_session(ssl.get(), resumed);
  int result = 0;
  while ((result = SSL_connect(ssl.get())) != 1) {
    if (SSL_get_error(ssl.get(), result) != SSL_ERROR_WANT_READ) die("TLS handshake of the bare loop");
    wait_for(fd.value(), EPOLLIN, false);
  }
  if (resumed != nullptr && SSL_session_reused(ssl.get()) != 1) die("the target resumed no session");
  if (SSL_write(ssl.get(), kLastRequest.data(), static_cast<int>(kLastRequest.size())) <= 0) die("TLS write");
  char answer[4096];
  while ((result = SSL_read(ssl.get(), answer, sizeof answer)) <= 0) {
    if (SSL_get_error(ssl.get(), result) != SSL_ERROR_WANT_READ) die("TLS read of the bare loop");
    wait_for(fd.value(), EPOLLIN, false);
  }
  expect_200(answer, result);
  // OpenSSL forgets the session of a connection that was not shut down; the reset says it to the server all the same.
  SSL_set_shutdown(ssl.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

void BareLoop::https() { exchange_over_tls(nullptr); }

void BareLoop::https_again() {
  const std::unique_ptr<SSL_SESSION, FreeTls> before = std::move(session_);
  exchange_over_tls(before.get());
}

}  // namespace bench
