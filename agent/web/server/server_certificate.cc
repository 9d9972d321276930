#include "web/server/server_certificate.h"

#include "base/file.h"
#include "base/log.h"

namespace web {
namespace {

base::Result<std::string> text_of(const TlsFiles& files) {
  TRY(std::string text, base::read_file(files.cert_file));
  TRY(const std::string key, base::read_file(files.key_file));
  text += '\n' + key;
  if (files.client_ca_file.empty()) return text;
  TRY(const std::string authorities, base::read_file(files.client_ca_file));
  return text + '\n' + authorities;
}

base::Result<std::shared_ptr<const net::ServerTls>> tls_of(const TlsFiles& files) {
  using Client = net::ServerTlsSettings::Client;
  const Client client = files.client == ClientCertificate::required ? Client::required
                        : files.client == ClientCertificate::asked  ? Client::asked
                                                                    : Client::not_asked;
  return net::ServerTls::read({.cert_file = files.cert_file,
                               .key_file = files.key_file,
                               .client_ca_file = files.client_ca_file,
                               .client = client,
                               .require_tls13 = files.require_tls13});
}

}  // namespace

base::Result<ServerCertificate> ServerCertificate::read(const TlsFiles& files) {
  TRY(std::string text, text_of(files));
  TRY(auto tls, tls_of(files));
  return ServerCertificate(files, std::move(text), std::move(tls));
}

bool ServerCertificate::read_what_changed() {
  const auto text = text_of(files_);
  std::string now = text ? *text : text.error().text;
  if (now == tried_) return false;
  tried_ = std::move(now);
  auto next = text ? tls_of(files_) : tl::unexpected<base::Error>(text.error());
  if (!next) {
    base::log::warn("the web server's changed TLS files cannot be used; those before stay in use",
                    {{"cert_file", files_.cert_file}, {"error", next.error().text}});
    return false;
  }
  tls_ = *std::move(next);
  base::log::info("the web server's changed TLS files were read again",
                  {{"cert_file", files_.cert_file}, {"client_ca_file", files_.client_ca_file}});
  return true;
}

}  // namespace web
