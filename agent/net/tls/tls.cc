#include "net/tls/tls.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <atomic>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "base/file_version.h"
#include "base/log.h"
#include "net/tls/certificate_verifier.h"
#include "net/tls/ocsp_staple.h"
#include "net/tls/pem.h"
#include "net/tls/pre_shared_key.h"
#include "net/tls/system_authorities.h"
#include "net/tls/tls_sessions.h"

namespace net {
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

base::Result<int> number_of(const std::string& name) {
  for (const Version& version : kVersions)
    if (name == version.name) return version.number;
  return base::fail(base::Kind::invalid,
                    fmt::format("'{}' is no TLS version; write TLS10, TLS11, TLS12 or TLS13", name));
}

base::Result<> set_versions(SSL_CTX* context, const TlsSettings& settings) {
  TRY(const int oldest, number_of(settings.min_version));
  SSL_CTX_set_min_proto_version(context, oldest);
  int newest = 0;  // the library's
  if (!settings.max_version.empty()) {
    TRY(newest, number_of(settings.max_version));
    if (newest < oldest)
      return base::fail(base::Kind::invalid, fmt::format("max_version {} is older than min_version {}",
                                                         settings.max_version, settings.min_version));
  }
  SSL_CTX_set_max_proto_version(context, newest);
  // Old versions need the signatures of their time.
  if (oldest < TLS1_2_VERSION) SSL_CTX_set_security_level(context, 0);
  return {};
}

// What stands in the configuration itself never changes: a mistake in it is one of the configuration.
base::Result<> load_inline(SSL_CTX* context, const TlsSettings& settings) {
  const auto none = [](const char* what) {
    ERR_clear_error();
    return base::fail(base::Kind::invalid, fmt::format("{} has no PEM in it that can be used", what));
  };
  if (!settings.ca.empty() && !pem::add_authorities(context, settings.ca)) return none("ca");
  if (!settings.cert.empty() && !pem::use_certificate(context, settings.cert)) return none("cert");
  if (!settings.key.empty() && !pem::use_private_key(context, settings.key.reveal())) return none("key");
  return {};
}

base::Result<> load_files(SSL_CTX* context, const TlsSettings& settings) {
  if (settings.ca_file.empty() && settings.ca.empty()) {
    // A folder of hashed names where the system has one: read one by one, when asked for.
    ERR_clear_error();
    if (!trust_system_authorities(context))
      return base::fail(base::Kind::io, "cannot load the system's certificate authorities: " + take_openssl_error());
  }
  if (!settings.ca_file.empty())
    TRY_VOID(pem::load(context, pem::add_authorities, settings.ca_file, "load the certificate authorities of"));
  if (!settings.cert_file.empty())
    TRY_VOID(pem::load(context, pem::use_certificate, settings.cert_file, "load the client certificate"));
  if (!settings.key_file.empty())
    TRY_VOID(pem::load(context, pem::use_private_key, settings.key_file, "load the private key"));
  return {};
}

using Context = std::unique_ptr<SSL_CTX, FreeContext>;

// `trouble`: why the files could not be loaded; "" if they were.
base::Result<Context> make_context(const TlsSettings& settings, std::string& trouble) {
  Context context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* native = context.get();
  CHECK(native != nullptr);
  TRY_VOID(set_versions(native, settings));
  const bool has_cert = !settings.cert.empty() || !settings.cert_file.empty();
  if (has_cert != (!settings.key.empty() || !settings.key_file.empty()))
    return base::fail(base::Kind::invalid, "a client certificate needs both cert_file and key_file");
  TRY_VOID(load_inline(native, settings));
  const bool has_psk = !settings.psk_identity.empty();
  if (has_psk) TRY_VOID(use_pre_shared_key(native, settings.psk_identity, settings.psk));
  // Who asks for a key trusts no certificate that comes in its place.
  const base::Result<> loaded = has_psk ? base::Result<>() : load_files(native, settings);
  trouble = loaded ? "" : loaded.error().text;
  // A resumed session shows no certificates: each connection is to tell when they expire, unless asked otherwise. Nor
  // does it bring a staple.
  const bool staple = settings.require_ocsp_staple || settings.ask_ocsp_staple;
  if (settings.session_reuse && !staple) TlsSessions::keep_for(native);
  else SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  // Many servers close without a close_notify; that is an end like any other.
  SSL_CTX_set_options(native, SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(native, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  use_attached_verification(native);
  if (staple) ask_for_staple(native, nullptr);
  return context;
}

using FileVersions = std::array<base::FileVersion, 3>;

FileVersions versions_of(const TlsSettings& settings) {
  FileVersions versions;
  std::size_t at = 0;
  for (const std::string* file : {&settings.ca_file, &settings.cert_file, &settings.key_file}) {
    if (!file->empty()) versions[at] = base::version_of(*file);
    ++at;
  }
  return versions;
}

}  // namespace

struct TlsContext::Rep {
  TlsSettings settings;
  std::uint64_t id = 0;
  Context context;
  FileVersions tried;   // of the files when they were read last, for better or worse
  std::mutex mutex;     // of the next one: who reads a configuration asks for it beside the loop
  std::string trouble;  // of the files that `context` was made of

  // A certificate and its key are two files that no rotation changes at once: between the two they do not fit, and the
  // old pair goes on.
  void read_what_changed() {
    const FileVersions now = versions_of(settings);
    if (now == tried) return;
    tried = now;
    std::string wrong;
    auto made = make_context(settings, wrong);
    CHECK(made.has_value());  // these settings made one before
    const bool both = !settings.ca_file.empty() && !settings.cert_file.empty();
    const std::string files = settings.ca_file + (both ? " " : "") + settings.cert_file;
    if (!wrong.empty() && trouble.empty())
      return base::log::warn("a changed TLS file cannot be used; what was read before stays in use",
                             {{"files", files}, {"error", wrong}});
    context = *std::move(made);
    {
      const std::lock_guard lock(mutex);
      trouble = wrong;
    }
    if (!wrong.empty()) return base::log::warn("a TLS file cannot be used", {{"files", files}, {"error", wrong}});
    base::log::info("changed TLS files were read again", {{"files", files}});
  }
};

TlsContext::TlsContext() : rep_(std::make_unique<Rep>()) {}
TlsContext::~TlsContext() = default;

base::Result<std::shared_ptr<TlsContext>> TlsContext::get(const TlsSettings& settings) {
  // A configuration is read on another thread, and the loop makes those of discovered targets meanwhile.
  static std::mutex mutex;
  static std::vector<std::weak_ptr<TlsContext>> made;
  static std::atomic<std::uint64_t> last_id = 0;
  {
    const std::lock_guard lock(mutex);
    std::erase_if(made, [](const auto& context) { return context.expired(); });
    for (const auto& context : made)
      if (auto alive = context.lock(); alive && alive->settings() == settings) return alive;
  }
  std::shared_ptr<TlsContext> context(new TlsContext);
  context->rep_->settings = settings;
  context->rep_->id = ++last_id;
  context->rep_->tried = versions_of(settings);  // before they are read: a change meanwhile is seen by the next look
  TRY(context->rep_->context, make_context(settings, context->rep_->trouble));
  const std::lock_guard lock(mutex);
  made.push_back(context);
  return context;
}

void* TlsContext::native() const {
  rep_->read_what_changed();
  return rep_->context.get();
}
std::string TlsContext::trouble() const {
  const std::lock_guard lock(rep_->mutex);
  return rep_->trouble;
}
const TlsSettings& TlsContext::settings() const { return rep_->settings; }
std::uint64_t TlsContext::id() const { return rep_->id; }

}  // namespace net
