// One TLS client configuration = one SSL_CTX, shared by all that use it (loading the system's CA bundle costs 50 ms).
// Words as in Prometheus' tls_config. Contexts are made on any thread, and used on the loop thread.
// A file of theirs that changed is read again at the next connection; while it cannot be used, what was read before
// stays in use.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/secret.h"

namespace net {

// Each of the first three as PEM that stands in the configuration, or as the file that holds it.
struct TlsSettings {
  std::string ca{}, ca_file{};      // neither: the system's
  std::string cert{}, cert_file{};  // client certificate, with what it was issued by
  base::Secret key{};
  std::string key_file{};
  std::string server_name{};  // "": the host that is connected to
  bool insecure_skip_verify = false;
  std::string min_version = "TLS12";  // TLS10 TLS11 TLS12 TLS13
  std::string max_version{};          // "": the newest that the library has
  bool session_reuse = false;         // by Streams: resume the session of an earlier connection (tls_sessions.h)
  bool require_ocsp_staple = false;
  bool ask_ocsp_staple = false;  // described and not required; no key of a configuration
  // A key that both sides know, in hexadecimal digits, in place of all certificates; no keys of tls_config.
  std::string psk_identity{};
  base::Secret psk{};
  friend bool operator==(const TlsSettings&, const TlsSettings&) = default;
};

class TlsContext {  // opaque; one per distinct TlsSettings, made anew only when one of their files changed
 public:
  // The same settings give the same context while anybody holds it. An error is a mistake in the settings. A file that
  // cannot be read or used gives a context all the same, whose connections fail with trouble() until the file is
  // mended.
  static base::Result<std::shared_ptr<TlsContext>> get(const TlsSettings& settings);
  ~TlsContext();
  void* native() const;  // SSL_CTX*, until the next call; inside net/ and http/ only
  // Which file has never been read and why; "" once all were. As the last native() or get() found it.
  std::string trouble() const;
  const TlsSettings& settings() const;
  // Another for each context that there ever was: connections of two are never shared.
  std::uint64_t id() const;

 private:
  TlsContext();
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace net
