// The server's side of TLS: one configuration = one SSL_CTX. Made on any thread, then used by connections of one loop.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace net {

struct ServerTlsSettings {
  enum class Client { not_asked, asked, required };

  std::string cert_file, key_file;  // PEM; the chain follows the certificate
  std::string client_ca_file{};     // whom clients' certificates must come from, unless they are not asked
  Client client = Client::not_asked;
  bool require_tls13 = false;  // else TLS 1.2 is taken, too
};

class ServerTls {
 public:
  // Reads the files; errors name the one that cannot be used.
  static base::Result<std::shared_ptr<const ServerTls>> read(const ServerTlsSettings& settings);
  ~ServerTls();
  void* native() const { return context_; }  // SSL_CTX*; inside net/ only

 private:
  explicit ServerTls(void* context) : context_(context) {}
  void* context_;
};

}  // namespace net
