#include "net/tls/tls_config.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace net {
namespace {

struct Contradiction {
  std::string_view key;
  std::string what;
};

// The first one between the keys.
std::optional<Contradiction> contradiction(const TlsSettings& tls) {
  if (!tls.ca.empty() && !tls.ca_file.empty()) return Contradiction{"ca_file", "cannot stand beside ca"};
  if (!tls.cert.empty() && !tls.cert_file.empty()) return Contradiction{"cert_file", "cannot stand beside cert"};
  if (!tls.key.empty() && !tls.key_file.empty()) return Contradiction{"key_file", "cannot stand beside key"};
  const bool has_cert = !tls.cert.empty() || !tls.cert_file.empty();
  if (has_cert != (!tls.key.empty() || !tls.key_file.empty()))
    return Contradiction{has_cert ? "cert_file" : "key_file", "needs both cert_file and key_file, or cert and key"};
  static constexpr std::array<std::string_view, 4> kVersions{"TLS10", "TLS11", "TLS12", "TLS13"};
  const auto age = [](const std::string& name) {
    return std::find(kVersions.begin(), kVersions.end(), name) - kVersions.begin();
  };
  if (age(tls.min_version) == 4) return Contradiction{"min_version", "must be TLS10, TLS11, TLS12 or TLS13"};
  if (tls.max_version.empty()) return std::nullopt;
  if (age(tls.max_version) == 4) return Contradiction{"max_version", "must be TLS10, TLS11, TLS12 or TLS13"};
  if (age(tls.max_version) < age(tls.min_version))
    return Contradiction{"max_version", "is older than min_version, which is " + tls.min_version +
                                            "; to offer old versions only, set both"};
  return std::nullopt;
}

}  // namespace

const config::Schema<TlsSettings>& tls_schema() {
  static const auto schema =
      config::Schema<TlsSettings>("tls_config")
          .optional("ca", &TlsSettings::ca, "Certificates to trust (PEM), written here.")
          .optional("ca_file", &TlsSettings::ca_file,
                    "Certificates to trust (PEM). Empty: the system's. Read again when it changes, like cert_file and "
                    "key_file.")
          .optional("cert", &TlsSettings::cert, "Client certificate (PEM), written here; needs a key.")
          .optional("cert_file", &TlsSettings::cert_file, "File with the client certificate (PEM); needs a key.")
          .optional("key", &TlsSettings::key, "Key of the client certificate (PEM), written here.")
          .optional("key_file", &TlsSettings::key_file, "File with the key of the client certificate (PEM).")
          .optional("server_name", &TlsSettings::server_name,
                    "Name to ask for and to verify. Empty: the host that is connected to.")
          .optional("insecure_skip_verify", &TlsSettings::insecure_skip_verify,
                    "Accept any certificate. Its expiry is measured all the same.")
          .optional("require_ocsp_staple", &TlsSettings::require_ocsp_staple,
                    "Ask for a stapled OCSP response and fail with tls_verify unless it is there, for this "
                    "certificate, signed by its issuer, fresh, and good. Type tls asks for one in any case.")
          .optional("min_version", &TlsSettings::min_version, "Oldest version to accept: TLS10, TLS11, TLS12 or TLS13.")
          .optional("max_version", &TlsSettings::max_version,
                    "Newest version to offer, to find out who still takes an old one. Empty: the newest there is.")
          .optional("session_reuse", &TlsSettings::session_reuse,
                    "Resume the TLS session of an earlier run, with a full handshake every five minutes at least: "
                    "cheaper for both sides, but a certificate that was replaced is seen late. Nothing is resumed "
                    "through a proxy, on a kept connection, with HTTP/2, or where an OCSP response is asked for: "
                    "a resumed session brings none.")
          .check([](const TlsSettings& tls, const config::Complain& complain) {
            if (const auto wrong = contradiction(tls)) complain(wrong->key, wrong->what);
          });
  return schema;
}

std::shared_ptr<TlsContext> tls_context(const TlsSettings& settings, const config::Node& node, const std::string& path,
                                        config::Errors& errors) {
  if (contradiction(settings)) return nullptr;  // said by the schema
  auto context = TlsContext::get(settings);
  const config::Node found = node.find("tls_config");
  const config::Mark at = found.is_null() ? node.mark() : found.mark();
  if (!context) {
    errors.add(at, path + ".tls_config", context.error().text);
    return nullptr;
  }
  if (const std::string& trouble = (*context)->trouble(); !trouble.empty())
    errors.warn(at, path + ".tls_config", trouble + "; runs fail until that is mended");
  return std::move(*context);
}

}  // namespace net
