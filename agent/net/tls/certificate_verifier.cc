#include "net/tls/certificate_verifier.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>
#include <optional>
#include <vector>

#include "base/check.h"
#include "net/tls/system_authorities.h"

namespace net {
namespace {

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};

std::optional<base::WallTime> expiry(const X509* certificate) { return to_wall_time(X509_get0_notAfter(certificate)); }

std::optional<base::WallTime> earliest(const STACK_OF(X509) * chain) {
  std::optional<base::WallTime> first;
  for (int i = 0; i < sk_X509_num(chain); ++i)
    if (const auto t = expiry(sk_X509_value(chain, i)); t && (!first || *t < *first)) first = t;
  return first;
}

std::string name_text(const X509_NAME* name) {
  const std::unique_ptr<BIO, FreeBio> bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB));
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string dns_names(const X509* certificate) {
  std::string out;
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS) continue;
    if (!out.empty()) out += ',';
    out.append(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
               static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  GENERAL_NAMES_free(names);
  return out;
}

std::string hex(const unsigned char* bytes, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) out += fmt::format("{:02x}", bytes[i]);
  return out;
}

std::string serial_text(const X509* certificate) {
  BIGNUM* number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr);
  std::vector<unsigned char> bytes(static_cast<std::size_t>(BN_num_bytes(number)));
  BN_bn2bin(number, bytes.data());
  BN_free(number);
  return hex(bytes.data(), bytes.size());
}

void describe(const STACK_OF(X509) * sent, const X509* leaf, PeerChain& chain) {
  chain.earliest_expiry = earliest(sent);
  if (leaf == nullptr) return;
  chain.leaf_expiry = expiry(leaf);
  chain.subject = name_text(X509_get_subject_name(leaf));
  chain.issuer = name_text(X509_get_issuer_name(leaf));
  chain.subject_alternative = dns_names(leaf);
  chain.serial = serial_text(leaf);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (X509_digest(leaf, EVP_sha256(), digest.data(), &size) == 1) chain.fingerprint_sha256 = hex(digest.data(), size);
}

void describe_session(const SSL* ssl, PeerChain& chain) {
  chain.version = SSL_get_version(ssl);
  if (chain.version.starts_with("TLSv")) chain.version.replace(0, 4, "TLS ");
  if (chain.version == "TLS 1") chain.version = "TLS 1.0";
  if (const char* cipher = SSL_get_cipher_name(ssl); cipher != nullptr) chain.cipher = cipher;
}

void expect_host(X509_STORE_CTX* context, const std::string& host) {
  X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(context);
  std::string name = host.substr(0, host.find('%'));
  if (name.size() > 2 && name.front() == '[') name = name.substr(1, name.size() - 2);
  if (X509_VERIFY_PARAM_set1_ip_asc(param, name.c_str()) == 1) return;
  if (name.size() > 1 && name.back() == '.') name.pop_back();
  // A name that stands in the subject only is none (RFC 9525, 2), for browsers, curl and Go alike.
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  X509_VERIFY_PARAM_set1_host(param, name.c_str(), name.size());
}

int attachment() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

}  // namespace

int verify_peer(X509_STORE_CTX* context, Verification& verification) {
  PeerChain& chain = verification.chain;
  chain = {};
  verification.from_session = false;
  describe(X509_STORE_CTX_get0_untrusted(context), X509_STORE_CTX_get0_cert(context), chain);
  const int index = SSL_get_ex_data_X509_STORE_CTX_idx();
  if (const auto* ssl = static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(context, index)); ssl != nullptr)
    describe_session(ssl, chain);
  verification.checked_at = base::Clock::now();
  if (!verification.trouble.empty()) {
    chain.verify_error = verification.trouble;
    verification.reason = model::Reason::agent_overloaded;
    return 0;
  }
  if (verification.skip) return 1;

  if (verification.host.empty()) {
    chain.verify_error = "no name to check the certificate against; set server_name";
    verification.reason = model::Reason::tls_verify;
    return 0;
  }
  expect_host(context, verification.host);
  if (X509_verify_cert(context) == 1) {
    chain.last_chain_expiry = earliest(X509_STORE_CTX_get0_chain(context));
    return 1;
  }
  const int error = X509_STORE_CTX_get_error(context);
  chain.verify_error = X509_verify_cert_error_string(error);
  if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH)
    chain.verify_error =
        chain.subject_alternative.empty()
            ? fmt::format(
                  "the certificate is for {}, not for {}; a name that stands in the subject only does not count",
                  chain.subject, verification.host)
            : fmt::format("the certificate is for {}, not for {}", chain.subject_alternative, verification.host);
  verification.reason = error == X509_V_ERR_CERT_HAS_EXPIRED ? model::Reason::tls_expired : model::Reason::tls_verify;
  if (const std::string why = no_system_authorities(context); !why.empty()) {
    chain.verify_error = why;
    verification.reason = model::Reason::agent_overloaded;
  }
  return 0;
}

void use_attached_verification(SSL_CTX* context) {
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(
      context,
      [](X509_STORE_CTX* store, void*) {
        const auto* ssl =
            static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
        Verification* verification = attached_verification(ssl);
        return verification != nullptr ? verify_peer(store, *verification) : 0;
      },
      nullptr);
  SSL_CTX_set_client_cert_cb(
      context, [](SSL* ssl, X509**, EVP_PKEY**) { return note_wanted_certificate(attached_verification(ssl)); });
}

std::string certificate_hint(const Verification& verification) {
  if (!verification.wants_certificate) return "";
  return "; it had asked for a client certificate and got none: set cert_file and key_file in tls_config";
}

int note_wanted_certificate(Verification* verification) {
  if (verification != nullptr) verification->wants_certificate = true;
  return 0;
}

void attach_verification(SSL* ssl, Verification* verification) {
  CHECK(SSL_set_ex_data(ssl, attachment(), verification) == 1);
}

Verification* attached_verification(const SSL* ssl) {
  return static_cast<Verification*>(SSL_get_ex_data(ssl, attachment()));
}

std::optional<base::WallTime> to_wall_time(const ASN1_TIME* time) {
  std::tm fields{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &fields) != 1) return std::nullopt;
  return std::chrono::floor<base::Millis>(std::chrono::system_clock::from_time_t(::timegm(&fields)));
}

std::string take_openssl_error() {
  // The first is the cause, what follows are its consequences.
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "";
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : fmt::format("OpenSSL error {:#x}", code);
}

}  // namespace net
