// The same requests with nothing around them: one epoll descriptor, one socket at a time, no deadline, no verdict, no
// measurement. What is left is what the kernel and OpenSSL take, and so the limit of what a probe can cost.
#pragma once

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>

#include <memory>
#include <string>

#include "base/unique_fd.h"

namespace bench {

class BareLoop {
 public:
  // `authority`: whose certificates to trust; "" where no TLS is spoken.
  BareLoop(int port, const std::string& authority);

  void tcp();          // connect, reset
  void http();         // connect, ask, read, reset
  void http_again();   // ask on the connection that is kept
  void https();        // full handshake with verification
  void https_again();  // resumes the session of the handshake before

 private:
  struct FreeTls {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
  };

  base::UniqueFd connect();
  void wait_for(int fd, std::uint32_t events, bool is_new);
  void exchange(int fd, bool is_new, const std::string& request);
  void exchange_over_tls(SSL_SESSION* resumed);

  base::UniqueFd epoll_;
  sockaddr_in address_{};
  base::UniqueFd kept_;
  std::unique_ptr<SSL_CTX, FreeTls> context_;
  std::unique_ptr<SSL_SESSION, FreeTls> session_;
};

}  // namespace bench
