#include "web/server/web_config.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "config/schema.h"
#include "net/tls/tls.h"

namespace web {
namespace {

struct TlsServerConfig {
  std::string cert_file, key_file, client_ca_file;
  std::string client_auth_type = "NoClientCert";
  std::string min_version = "TLS12", max_version = "TLS13";
  std::vector<std::string> cipher_suites, curve_preferences;
  bool prefer_server_cipher_suites = true;
};

struct HttpServerConfig {
  bool http2 = false;
  config::Node place;
};

struct File {
  std::optional<TlsServerConfig> tls;
  std::map<std::string, std::string> users;
  HttpServerConfig http;
};

const std::vector<std::string>& client_auth_types() {
  static const std::vector<std::string> all{"NoClientCert", "RequestClientCert", "RequireAnyClientCert",
                                            "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"};
  return all;
}

const auto& tls_schema() {
  static const auto schema =
      config::Schema<TlsServerConfig>("tls_server_config")
          .required("cert_file", &TlsServerConfig::cert_file, "The server's certificate and its chain, PEM.")
          .required("key_file", &TlsServerConfig::key_file, "The certificate's private key, PEM.")
          .optional("client_auth_type", &TlsServerConfig::client_auth_type,
                    "NoClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert.")
          .optional("client_ca_file", &TlsServerConfig::client_ca_file, "Who signs the clients' certificates, PEM.")
          .optional("min_version", &TlsServerConfig::min_version, "TLS12 or TLS13.")
          .optional("max_version", &TlsServerConfig::max_version, "TLS13; nothing else is offered.")
          .optional("cipher_suites", &TlsServerConfig::cipher_suites, "Read and not used: OpenSSL's own choice is.")
          .optional("curve_preferences", &TlsServerConfig::curve_preferences,
                    "Read and not used: OpenSSL's own choice is.")
          .optional("prefer_server_cipher_suites", &TlsServerConfig::prefer_server_cipher_suites,
                    "Read and not used: the server's order always wins.")
          .check([](const TlsServerConfig& s, const config::Complain& complain) {
            const auto& types = client_auth_types();
            if (std::find(types.begin(), types.end(), s.client_auth_type) == types.end())
              complain("client_auth_type",
                       "must be one of NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert");
            // These two take any certificate, signed by whomever: a lock that every key opens.
            if (s.client_auth_type == "RequestClientCert" || s.client_auth_type == "RequireAnyClientCert")
              complain("client_auth_type",
                       "would let everybody in; use VerifyClientCertIfGiven or RequireAndVerifyClientCert");
            if (s.client_auth_type.find("Verify") != std::string::npos && s.client_ca_file.empty())
              complain("client_auth_type", "needs client_ca_file, to verify against");
            if (!s.client_ca_file.empty() && s.client_auth_type == "NoClientCert")
              complain("client_ca_file", "has no effect without client_auth_type: RequireAndVerifyClientCert");
            if (s.min_version != "TLS12" && s.min_version != "TLS13")
              complain("min_version", "must be TLS12 or TLS13; older ones are not offered");
            if (s.max_version != "TLS13") complain("max_version", "must be TLS13; TLS 1.3 is always offered");
          });
  return schema;
}

const auto& http_schema() {
  static const auto schema =
      config::Schema<HttpServerConfig>("http_server_config")
          .optional("http2", &HttpServerConfig::http2, "HTTP/2 is not offered; the key is there for shared files.")
          .place(&HttpServerConfig::place);
  return schema;
}

const auto& file_schema() {
  static const auto schema =
      config::Schema<File>("web configuration")
          .optional("tls_server_config", &File::tls, tls_schema(), "TLS and client certificates.")
          .optional("basic_auth_users", &File::users, "Names to bcrypt hashes of their passwords.")
          .optional("http_server_config", &File::http, http_schema(), "HTTP/2.")
          .check([](const File& file, const config::Complain& complain) {
            for (const auto& [name, hash] : file.users) {
              const bool bcrypt = hash.size() == 60 && hash[0] == '$' && hash[1] == '2' &&
                                  std::string_view("aby").find(hash[2]) != std::string_view::npos && hash[3] == '$';
              if (!bcrypt)
                complain("basic_auth_users", "the password of '" + name +
                                                 "' is no bcrypt hash ($2y$10$ and 56 more characters); make one with: "
                                                 "htpasswd -nBC 10 " +
                                                 name);
              if (name.find(':') != std::string::npos)
                complain("basic_auth_users", "the name '" + name + "' has a colon, which ends names");
            }
          });
  return schema;
}

std::string beside(const std::string& file, const std::string& path) {
  if (path.empty() || path.front() == '/') return path;
  return (std::filesystem::path(file).parent_path() / path).string();
}

}  // namespace

base::Result<WebConfig> parse_web_config(std::string_view text, const std::string& path) {
  config::Errors errors;
  const config::Node node = config::Node::parse(text, path, errors);
  WebConfig out;
  if (node.is_null() && errors.empty()) return out;
  const File file = file_schema().parse(node, "", errors);
  if (!errors.empty()) return base::fail(base::Kind::invalid, errors.text());
  if (file.tls) {
    out.tls = true;
    out.files.cert_file = beside(path, file.tls->cert_file);
    out.files.key_file = beside(path, file.tls->key_file);
    out.files.client_ca_file = beside(path, file.tls->client_ca_file);
    out.files.require_tls13 = file.tls->min_version == "TLS13";
    if (file.tls->client_auth_type == "VerifyClientCertIfGiven") out.files.client = ClientCertificate::asked;
    if (file.tls->client_auth_type == "RequireAndVerifyClientCert") out.files.client = ClientCertificate::required;
  }
  for (const auto& [name, hash] : file.users) out.users.push_back({name, hash});
  return out;
}

base::Result<WebConfig> load_web_config(const std::string& path) {
  TRY(std::string text, base::read_file(path));
  TRY(WebConfig out, parse_web_config(text, path));
  out.text = std::move(text);
  return out;
}

}  // namespace web
