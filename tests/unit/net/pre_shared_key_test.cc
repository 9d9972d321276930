// TLS with a key that both sides know: handshakes in memory, with OpenSSL on both sides.
#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "fakes/certificates.h"
#include "net/tls/certificate_verifier.h"
#include "net/tls/tls.h"

namespace {

const std::string kKey(32, '\x5a');
const std::string kDigits = [] {
  std::string out;
  for (std::size_t i = 0; i < kKey.size(); ++i) out += "5a";
  return out;
}();

unsigned int key_of_fettle(SSL*, const char* identity, unsigned char* key, unsigned int room) {
  if (std::string(identity) != "fettle" || room < kKey.size()) return 0;
  std::memcpy(key, kKey.data(), kKey.size());
  return static_cast<unsigned int>(kKey.size());
}

std::shared_ptr<net::TlsContext> with_key(const std::string& identity, const std::string& digits) {
  net::TlsSettings settings;
  settings.psk_identity = identity;
  settings.psk = base::Secret(digits);
  auto made = net::TlsContext::get(settings);
  REQUIRE(made.has_value());
  return *std::move(made);
}

enum class Knows { key, certificate };

fakes::Owned<SSL_CTX> server_context(Knows knows, int version) {
  fakes::Owned<SSL_CTX> context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX_set_min_proto_version(context.get(), version);
  SSL_CTX_set_max_proto_version(context.get(), version);
  if (knows == Knows::key) {
    SSL_CTX_set_psk_server_callback(context.get(), key_of_fettle);
    return context;
  }
  const auto certificate = fakes::make_certificate({.common_name = "zabbix", .alternative = "DNS:zabbix.test"});
  SSL_CTX_use_certificate(context.get(), certificate.x509.get());
  SSL_CTX_use_PrivateKey(context.get(), certificate.key.get());
  return context;
}

// Whether both sides came to an end with each other.
bool shake_hands(net::TlsContext& client_context, SSL_CTX* server_context) {
  const fakes::Owned<SSL> client(SSL_new(static_cast<SSL_CTX*>(client_context.native())));
  const fakes::Owned<SSL> server(SSL_new(server_context));
  net::Verification verification;
  verification.host = "zabbix.test";
  net::attach_verification(client.get(), &verification);
  BIO *here = nullptr, *there = nullptr;
  REQUIRE(BIO_new_bio_pair(&here, 0, &there, 0) == 1);
  SSL_set_bio(client.get(), here, here);
  SSL_set_bio(server.get(), there, there);
  SSL_set_connect_state(client.get());
  SSL_set_accept_state(server.get());
  int left = 0, right = 0;
  for (int turn = 0; turn < 8 && (left != 1 || right != 1); ++turn) {
    left = SSL_do_handshake(client.get());
    right = SSL_do_handshake(server.get());
  }
  net::take_openssl_error();
  return left == 1 && right == 1;
}

}  // namespace

TEST_CASE("a pre-shared key stands in place of certificates") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    const auto server = server_context(Knows::key, version);
    CHECK(shake_hands(*with_key("fettle", kDigits), server.get()));
    CHECK_FALSE(shake_hands(*with_key("another", kDigits), server.get()));
    CHECK_FALSE(shake_hands(*with_key("fettle", std::string(64, 'f')), server.get()));
  }
}

TEST_CASE("who asks for a pre-shared key takes no certificate for it") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    CHECK_FALSE(shake_hands(*with_key("fettle", kDigits), server_context(Knows::certificate, version).get()));
  }
}
