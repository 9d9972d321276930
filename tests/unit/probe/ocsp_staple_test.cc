// OCSP stapling: a real nginx that staples what a real responder (openssl ocsp) has signed, and what is made of it.
#include <doctest/doctest.h>
#include <openssl/ocsp.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "fakes/certificates.h"
#include "fakes/real_server.h"
#include "fakes/tcp_peer.h"

namespace {

using model::Reason;

constexpr long kDay = 86'400;

bool run(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()) == 0; }

// An authority, a leaf of it, and answers about that leaf.
struct Pki {
  explicit Pki(const std::string& folder) : at(folder) {
    authority.write(at + "/ca.pem", at + "/ca.key");
    leaf.write(at + "/leaf.pem", at + "/leaf.key");
    other.write(at + "/other.pem", at + "/other.key");
  }
  std::string serial(const fakes::Certificate& of) const {
    BIGNUM* number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(of.x509.get()), nullptr);
    char* hex = BN_bn2hex(number);
    std::string text(hex);
    OPENSSL_free(hex);
    BN_free(number);
    return text;
  }
  // `line` of the responder's index says what became of the certificate: "V\t351231235959Z\t\t" and its serial.
  bool answer(const std::string& file, const std::string& line, const std::string& options = "-ndays 7",
              const std::string& about = "leaf", const std::string& signer = "ca") const {
    std::ofstream(at + "/index") << line << serial(about == "leaf" ? leaf : other) << "\tunknown\t/CN=shop\n";
    return run("openssl ocsp -index " + at + "/index -CA " + at + "/ca.pem -issuer " + at + "/ca.pem -rsigner " + at +
               "/" + signer + ".pem -rkey " + at + "/" + signer + ".key -cert " + at + "/" + about + ".pem -respout " +
               at + "/" + file + " " + options);
  }

  std::string at;
  fakes::Certificate authority =
      fakes::make_certificate({.common_name = "authority", .until_seconds = 90 * kDay, .authority = true});
  fakes::Certificate leaf = fakes::make_certificate(
      {.common_name = "shop", .alternative = "IP:127.0.0.1", .until_seconds = 30 * kDay, .issuer = &authority});
  fakes::Certificate other = fakes::make_certificate(
      {.common_name = "other", .alternative = "IP:127.0.0.1", .until_seconds = 30 * kDay, .issuer = &authority});
};

}  // namespace

TEST_CASE("tls describes what nginx staples, and requires it where it is told to") {
  const std::string nginx = fakes::find_program("nginx");
  if (nginx.empty() || fakes::find_program("openssl").empty()) {
    MESSAGE("skipped: nginx or openssl is not installed (apt-get install nginx openssl)");
    return;
  }
  const fakes::TemporaryFolder folder;
  const std::string at = folder.path();
  const Pki pki(at);
  const std::string valid = "V\t351231235959Z\t\t";
  REQUIRE(pki.answer("good", valid));
  REQUIRE(pki.answer("revoked", "R\t351231235959Z\t250101000000Z\t"));
  REQUIRE(pki.answer("another", valid, "-ndays 7", "other"));
  // Signed by a certificate of the same authority that may not sign for it.
  REQUIRE(pki.answer("forged", valid, "-ndays 7", "leaf", "other"));

  struct Row {
    const char* staple;  // "": none
    double stapled;
    int status;       // -1: not known
    const char* why;  // with require_ocsp_staple; "": it is up
  };
  const std::vector<Row> rows{
      {"good", 1, 0, ""},
      {"", 0, -1, "no OCSP response was stapled"},
      {"revoked", 1, 1, "the stapled OCSP response says that it was revoked"},
      {"another", 1, -1, "the stapled OCSP response is about another certificate"},
      {"forged", 1, 0, "the stapled OCSP response is not signed by the issuer: "},
  };
  std::vector<std::string> addresses;
  fakes::RealServer server([&](fakes::RealServer& s) {
    std::string servers;
    addresses.clear();
    for (const Row& row : rows) {
      const std::string address = "127.0.0.1:" + std::to_string(fakes::TcpPeer::dead_port());
      addresses.push_back(address);
      servers += "server { listen " + address + " ssl; ssl_certificate " + at + "/leaf.pem; ssl_certificate_key " + at +
                 "/leaf.key; ";
      if (*row.staple != '\0') servers += "ssl_stapling on; ssl_stapling_file " + at + "/" + row.staple + "; ";
      servers += "location / { return 204; } } ";
    }
    fakes::run_nginx(s, nginx, at, servers);
  });
  fakes::RealProbes probes;
  const std::string trust = "tls_config.ca_file=" + at + "/ca.pem";
  REQUIRE(server.until_up([&] { return probes.run("tls", addresses[0], {trust}); }).up);

  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    CAPTURE(row.staple);
    // Only told: whatever it is, the run is not judged by it.
    const auto told = probes.run("tls", addresses[i], {trust});
    CAPTURE(told.text);
    CHECK(told.up);
    CHECK(fakes::measurement(told, "probe_ssl_ocsp_response_stapled") == row.stapled);
    const double now = base::seconds(probes.loop.wall_now());
    if (row.status >= 0) {
      CHECK(fakes::measurement(told, "probe_ssl_ocsp_response_status") == row.status);
      CHECK(fakes::measurement(told, "probe_ssl_ocsp_response_this_update") == doctest::Approx(now).epsilon(1e-6));
      CHECK(fakes::measurement(told, "probe_ssl_ocsp_response_next_update") - now ==
            doctest::Approx(7.0 * kDay).epsilon(0.01));
    }
    if (row.status == 1) CHECK(fakes::measurement(told, "probe_ssl_ocsp_response_revoked_at") == 1'735'689'600);

    for (const auto& probed :
         {std::pair<std::string, std::string>{"tls", addresses[i]}, {"http", "https://" + addresses[i] + "/"}}) {
      const auto& [type, target] = probed;
      CAPTURE(probed.first);
      const auto wanted = probes.run(type, target, {trust, "tls_config.require_ocsp_staple=true"});
      CAPTURE(wanted.text);
      CHECK(wanted.up == (*row.why == '\0'));
      CHECK(fakes::measurement(wanted, "probe_ssl_ocsp_response_stapled") == row.stapled);
      if (wanted.up) continue;
      CHECK(wanted.reason == Reason::tls_verify);
      CHECK(wanted.text.find("certificate of " + addresses[i] + ": " + row.why) == 0);
    }
    // Nobody asks: nobody is told.
    const auto unasked = probes.run("http", "https://" + addresses[i] + "/", {trust});
    CHECK(unasked.up);
    for (const auto& m : unasked.measurements) CHECK(m.name.find("ocsp") == std::string::npos);
  }
}

namespace {

struct FreeOcsp {
  void operator()(OCSP_RESPONSE* response) const { OCSP_RESPONSE_free(response); }
  void operator()(OCSP_BASICRESP* basic) const { OCSP_BASICRESP_free(basic); }
};

std::string written(OCSP_RESPONSE* response) {
  unsigned char* bytes = nullptr;
  const int size = i2d_OCSP_RESPONSE(response, &bytes);
  std::string out(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return out;
}

// A server's: what it staples is the argument of its context.
int staple(SSL* ssl, void* of) {
  const auto& bytes = *static_cast<const std::string*>(of);
  void* copy = CRYPTO_memdup(bytes.data(), bytes.size(), __FILE__, __LINE__);  // OpenSSL's to free
  SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(bytes.size()));
  return SSL_TLSEXT_ERR_OK;
}

// A good answer about the leaf, made `from` and due `until`, in seconds from now; a tool for this has no such option.
std::string answer_of(const Pki& pki, long from, long until) {
  const std::unique_ptr<OCSP_BASICRESP, FreeOcsp> basic(OCSP_BASICRESP_new());
  OCSP_CERTID* id = OCSP_cert_to_id(EVP_sha1(), pki.leaf.x509.get(), pki.authority.x509.get());
  ASN1_TIME* since = X509_gmtime_adj(nullptr, from);
  ASN1_TIME* due = X509_gmtime_adj(nullptr, until);
  OCSP_basic_add1_status(basic.get(), id, V_OCSP_CERTSTATUS_GOOD, 0, nullptr, since, due);
  OCSP_basic_sign(basic.get(), pki.authority.x509.get(), pki.authority.key.get(), EVP_sha256(), nullptr, 0);
  ASN1_TIME_free(since);
  ASN1_TIME_free(due);
  OCSP_CERTID_free(id);
  const std::unique_ptr<OCSP_RESPONSE, FreeOcsp> response(
      OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get()));
  return written(response.get());
}

}  // namespace

TEST_CASE("a staple that no server should send is told from a good one") {
  const fakes::TemporaryFolder folder;
  const Pki pki(folder.path());
  const std::unique_ptr<OCSP_RESPONSE, FreeOcsp> later(OCSP_response_create(OCSP_RESPONSE_STATUS_TRYLATER, nullptr));
  struct Row {
    const char* name;
    std::string staple;
    const char* why;
  };
  for (const Row& row : {
           Row{"fresh", answer_of(pki, -60, kDay), ""},
           Row{"old", answer_of(pki, -2 * kDay, -kDay), "the stapled OCSP response is not fresh: status expired"},
           Row{"of tomorrow", answer_of(pki, kDay, 2 * kDay),
               "the stapled OCSP response is not fresh: status not yet valid"},
           Row{"an error", written(later.get()), "the stapled OCSP response is an error: trylater"},
           Row{"garbage", "no response", "what was stapled is no OCSP response"},
       }) {
    CAPTURE(row.name);
    const fakes::Owned<SSL_CTX> context(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_use_certificate(context.get(), pki.leaf.x509.get());
    SSL_CTX_use_PrivateKey(context.get(), pki.leaf.key.get());
    SSL_CTX_callback_ctrl(context.get(), SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB, reinterpret_cast<void (*)()>(staple));
    SSL_CTX_set_tlsext_status_arg(context.get(), const_cast<std::string*>(&row.staple));
    const fakes::TcpPeer server([&](fakes::PeerSocket& socket) {
      const fakes::Owned<SSL> ssl(SSL_new(context.get()));
      SSL_set_fd(ssl.get(), socket.fd());
      SSL_accept(ssl.get());
      socket.wait_for_close();
    });
    fakes::RealProbes probes;
    const std::string trust = "tls_config.ca_file=" + folder.path() + "/ca.pem";
    const auto told = probes.run("tls", server.address(), {trust});
    CHECK(told.up);
    CHECK(fakes::measurement(told, "probe_ssl_ocsp_response_stapled") == 1);
    const auto wanted = probes.run("tls", server.address(), {trust, "tls_config.require_ocsp_staple=true"});
    CAPTURE(wanted.text);
    CHECK(wanted.up == (*row.why == '\0'));
    if (!wanted.up) CHECK(wanted.text.starts_with("certificate of " + server.address() + ": " + row.why));
  }
}
