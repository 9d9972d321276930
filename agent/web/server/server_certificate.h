// The server's certificate, its key and its clients' authorities, read again when their files change. Loop thread.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "net/tls/server_tls.h"
#include "web/server/web_config.h"

namespace web {

class ServerCertificate {
 public:
  static base::Result<ServerCertificate> read(const TlsFiles& files);

  const std::shared_ptr<const net::ServerTls>& tls() const { return tls_; }
  // True if the files changed since and can be used, all of them together: tls() is then another. What cannot be used
  // changes nothing; it is told once.
  bool read_what_changed();

 private:
  ServerCertificate(TlsFiles files, std::string text, std::shared_ptr<const net::ServerTls> tls)
      : files_(std::move(files)), tried_(std::move(text)), tls_(std::move(tls)) {}

  TlsFiles files_;
  std::string tried_;  // certificate, key and clients' authorities as they were read last, for better or worse
  std::shared_ptr<const net::ServerTls> tls_;
};

}  // namespace web
