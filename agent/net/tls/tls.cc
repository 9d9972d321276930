#include "net/tls/tls.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "net/tls/certificate_verifier.h"
#include "net/tls/ocsp_staple.h"
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

// Kind::io: a file; everything else is a mistake in the settings.
tl::unexpected<base::Error> cannot(std::string_view what, const std::string& file) {
  std::string why = take_openssl_error();
  if (::access(file.c_str(), R_OK) != 0) why = std::generic_category().message(errno);  // OpenSSL's words are a number
  return base::fail(base::Kind::io, fmt::format("cannot {} {}: {}", what, file, why));
}

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

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeX509 {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;
using Certificate = std::unique_ptr<X509, FreeX509>;

Bio bio_of(const std::string& pem) { return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

Certificate next_certificate(const Bio& pem) {
  return Certificate(PEM_read_bio_X509(pem.get(), nullptr, nullptr, nullptr));
}

// What stands in the configuration itself never changes: a mistake in it is one of the configuration.
base::Result<> load_inline(SSL_CTX* context, const TlsSettings& settings) {
  const auto none = [](const char* what) {
    return base::fail(base::Kind::invalid, fmt::format("{} has no PEM in it that can be used", what));
  };
  if (!settings.ca.empty()) {
    const Bio pem = bio_of(settings.ca);
    std::size_t found = 0;
    for (Certificate one = next_certificate(pem); one != nullptr; one = next_certificate(pem), ++found)
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context), one.get());
    if (found == 0) return none("ca");
  }
  if (!settings.cert.empty()) {
    const Bio pem = bio_of(settings.cert);
    const Certificate leaf = next_certificate(pem);
    if (leaf == nullptr || SSL_CTX_use_certificate(context, leaf.get()) != 1) return none("cert");
    for (Certificate one = next_certificate(pem); one != nullptr; one = next_certificate(pem))
      SSL_CTX_add1_chain_cert(context, one.get());
  }
  if (!settings.key.empty()) {
    const Bio pem = bio_of(settings.key.reveal());
    // Nobody is asked for a passphrase.
    const auto refuse = [](char*, int, int, void*) { return 0; };
    const std::unique_ptr<EVP_PKEY, FreeKey> key(PEM_read_bio_PrivateKey(pem.get(), nullptr, refuse, nullptr));
    if (key == nullptr || SSL_CTX_use_PrivateKey(context, key.get()) != 1) return none("key");
  }
  ERR_clear_error();  // the end of each text was one
  return {};
}

base::Result<> load_files(SSL_CTX* context, const TlsSettings& settings) {
  // OpenSSL would wait for a pipe. What is not there it tells by itself.
  for (const std::string* file : {&settings.ca_file, &settings.cert_file, &settings.key_file})
    if (const auto regular = base::check_regular_file(*file); !regular && regular.error().kind == base::Kind::invalid)
      return regular;
  ERR_clear_error();
  if (settings.ca_file.empty() && settings.ca.empty()) {
    // A folder of hashed names where the system has one: read one by one, when asked for.
    if (SSL_CTX_set_default_verify_paths(context) != 1) return cannot("load", "the system's certificate authorities");
  } else if (!settings.ca_file.empty() &&
             SSL_CTX_load_verify_locations(context, settings.ca_file.c_str(), nullptr) != 1) {
    return cannot("load the certificate authorities of", settings.ca_file);
  }
  if (!settings.cert_file.empty() && SSL_CTX_use_certificate_chain_file(context, settings.cert_file.c_str()) != 1)
    return cannot("load the client certificate", settings.cert_file);
  if (!settings.key_file.empty() &&
      SSL_CTX_use_PrivateKey_file(context, settings.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return cannot("load the private key", settings.key_file);
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
  const base::Result<> loaded = load_files(native, settings);
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

// What tells a file from the one that stood there before: a rotation that renames changes the inode, one that writes
// the time or the size.
struct Stamp {
  ino_t inode = 0;
  std::int64_t modified_ns = 0;
  off_t size = -1;  // no such file
  friend bool operator==(const Stamp&, const Stamp&) = default;
};
using Stamps = std::array<Stamp, 3>;

Stamps stamps_of(const TlsSettings& settings) {
  Stamps stamps;
  std::size_t at = 0;
  for (const std::string* file : {&settings.ca_file, &settings.cert_file, &settings.key_file}) {
    struct stat now {};
    if (!file->empty() && ::stat(file->c_str(), &now) == 0)
      stamps[at] = {now.st_ino, now.st_mtim.tv_sec * 1'000'000'000LL + now.st_mtim.tv_nsec, now.st_size};
    ++at;
  }
  return stamps;
}

}  // namespace

struct TlsContext::Rep {
  TlsSettings settings;
  std::uint64_t id = 0;
  Context context;
  Stamps tried;         // of the files when they were read last, for better or worse
  std::string trouble;  // of the files that `context` was made of

  // A certificate and its key are two files that no rotation changes at once: between the two they do not fit, and the
  // old pair goes on.
  void read_what_changed() {
    const Stamps now = stamps_of(settings);
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
    trouble = wrong;
    if (!trouble.empty()) return base::log::warn("a TLS file cannot be used", {{"files", files}, {"error", trouble}});
    base::log::info("changed TLS files were read again", {{"files", files}});
  }
};

TlsContext::TlsContext() : rep_(std::make_unique<Rep>()) {}
TlsContext::~TlsContext() = default;

base::Result<std::shared_ptr<TlsContext>> TlsContext::get(const TlsSettings& settings) {
  static std::vector<std::weak_ptr<TlsContext>> made;  // loop thread only
  std::erase_if(made, [](const auto& context) { return context.expired(); });
  for (const auto& context : made)
    if (auto alive = context.lock(); alive && alive->settings() == settings) return alive;

  static std::uint64_t last_id = 0;
  std::shared_ptr<TlsContext> context(new TlsContext);
  context->rep_->settings = settings;
  context->rep_->id = ++last_id;
  context->rep_->tried = stamps_of(settings);  // before they are read: a change meanwhile is seen by the next look
  TRY(context->rep_->context, make_context(settings, context->rep_->trouble));
  made.push_back(context);
  return context;
}

void* TlsContext::native() const {
  rep_->read_what_changed();
  return rep_->context.get();
}
const std::string& TlsContext::trouble() const { return rep_->trouble; }
const TlsSettings& TlsContext::settings() const { return rep_->settings; }
std::uint64_t TlsContext::id() const { return rep_->id; }

}  // namespace net
