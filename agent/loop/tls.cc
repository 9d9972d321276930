#include "loop/tls.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <utility>

#include "base/check.h"
#include "loop/verification.h"

namespace loop {
namespace {

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

struct Version {
  const char* name;
  int number;
};
constexpr std::array kVersions{Version{"TLS10", TLS1_VERSION}, Version{"TLS11", TLS1_1_VERSION},
                               Version{"TLS12", TLS1_2_VERSION}, Version{"TLS13", TLS1_3_VERSION}};

tl::unexpected<base::Error> cannot(std::string_view what, const std::string& file) {
  return base::fail(base::Kind::invalid, fmt::format("cannot {} {}: {}", what, file, take_openssl_error()));
}

base::Result<> configure(SSL_CTX* context, const TlsSettings& settings) {
  int number = 0;
  for (const Version& version : kVersions)
    if (settings.min_version == version.name) number = version.number;
  if (number == 0)
    return base::fail(base::Kind::invalid,
                      fmt::format("'{}' is no TLS version; write TLS10, TLS11, TLS12 or TLS13", settings.min_version));
  SSL_CTX_set_min_proto_version(context, number);
  // Old versions need the signatures of their time.
  if (number < TLS1_2_VERSION) SSL_CTX_set_security_level(context, 0);

  ERR_clear_error();
  if (settings.ca_file.empty()) {
    // A folder of hashed names where the system has one: read one by one, when asked for.
    if (SSL_CTX_set_default_verify_paths(context) != 1) return cannot("load", "the system's certificate authorities");
  } else if (SSL_CTX_load_verify_locations(context, settings.ca_file.c_str(), nullptr) != 1) {
    return cannot("load the certificate authorities of", settings.ca_file);
  }
  if (settings.cert_file.empty() != settings.key_file.empty())
    return base::fail(base::Kind::invalid, "a client certificate needs both cert_file and key_file");
  if (!settings.cert_file.empty()) {
    if (SSL_CTX_use_certificate_chain_file(context, settings.cert_file.c_str()) != 1)
      return cannot("load the client certificate", settings.cert_file);
    if (SSL_CTX_use_PrivateKey_file(context, settings.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
      return cannot("load the private key", settings.key_file);
  }
  return {};
}

}  // namespace

struct TlsContext::Rep {
  TlsSettings settings;
  std::unique_ptr<SSL_CTX, FreeContext> context;
};

TlsContext::TlsContext() : rep_(std::make_unique<Rep>()) {}
TlsContext::~TlsContext() = default;

base::Result<std::shared_ptr<TlsContext>> TlsContext::get(const TlsSettings& settings) {
  static std::vector<std::weak_ptr<TlsContext>> made;  // loop thread only
  std::erase_if(made, [](const auto& context) { return context.expired(); });
  for (const auto& context : made)
    if (auto alive = context.lock(); alive && alive->settings() == settings) return alive;

  std::shared_ptr<TlsContext> context(new TlsContext);
  context->rep_->settings = settings;
  context->rep_->context.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* native = context->rep_->context.get();
  CHECK(native != nullptr);
  TRY_VOID(configure(native, settings));
  // A resumed session shows no certificates: each connection is to tell when they expire.
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  // Many servers close without a close_notify; that is an end like any other.
  SSL_CTX_set_options(native, SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(native, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  use_attached_verification(native);
  made.push_back(context);
  return context;
}

void* TlsContext::native() const { return rep_->context.get(); }
const TlsSettings& TlsContext::settings() const { return rep_->settings; }

}  // namespace loop
