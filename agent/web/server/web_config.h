// The file of --web.config.file, in the exporter toolkit's format, which Prometheus and all its exporters share: TLS,
// client certificates, basic authentication.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace web {

enum class ClientCertificate { not_asked, asked, required };

struct TlsFiles {
  std::string cert_file, key_file;  // PEM; relative to the configuration file's folder
  std::string client_ca_file;
  ClientCertificate client = ClientCertificate::not_asked;
  bool require_tls13 = false;
  friend bool operator==(const TlsFiles&, const TlsFiles&) = default;
};

struct BasicAuthUser {
  std::string name;
  std::string bcrypt;  // $2a$, $2b$ or $2y$
};

struct WebConfig {
  bool tls = false;
  TlsFiles files;
  std::vector<BasicAuthUser> users;  // empty: no password is asked for
  std::string text{};                // of the file that it was loaded from
};

// The error has all mistakes, a line each.
base::Result<WebConfig> load_web_config(const std::string& path);
base::Result<WebConfig> parse_web_config(std::string_view text, const std::string& path);

}  // namespace web
