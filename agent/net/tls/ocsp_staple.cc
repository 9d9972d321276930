#include "net/tls/ocsp_staple.h"

#include <openssl/ocsp.h>

#include <memory>

namespace net {
namespace {

struct FreeOcsp {
  void operator()(OCSP_RESPONSE* response) const { OCSP_RESPONSE_free(response); }
  void operator()(OCSP_BASICRESP* basic) const { OCSP_BASICRESP_free(basic); }
  void operator()(OCSP_CERTID* id) const { OCSP_CERTID_free(id); }
};

// Clocks differ; curl and OpenSSL's own tools allow as much.
constexpr long kClockSkewSeconds = 300;

// Whether the response is about this certificate: serial number and, where it is known, issuer.
bool is_about(OCSP_SINGLERESP* single, X509* leaf, X509* issuer) {
  auto* id = const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single));
  ASN1_OBJECT* digest = nullptr;
  ASN1_INTEGER* serial = nullptr;
  if (OCSP_id_get0_info(nullptr, &digest, nullptr, &serial, id) != 1) return false;
  if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) != 0) return false;
  if (issuer == nullptr) return true;
  const EVP_MD* md = EVP_get_digestbyobj(digest);
  if (md == nullptr) return false;
  const std::unique_ptr<OCSP_CERTID, FreeOcsp> ours(OCSP_cert_to_id(md, leaf, issuer));
  return ours != nullptr && OCSP_id_issuer_cmp(ours.get(), id) == 0;
}

// Fills `staple`; returns what is wrong with it, or "".
std::string read_staple(SSL* ssl, const Verification& verification, OcspStaple& staple) {
  const unsigned char* bytes = nullptr;
  const long size = SSL_get_tlsext_status_ocsp_resp(ssl, &bytes);
  if (bytes == nullptr || size <= 0) return "no OCSP response was stapled";
  staple.stapled = true;
  const std::unique_ptr<OCSP_RESPONSE, FreeOcsp> response(d2i_OCSP_RESPONSE(nullptr, &bytes, size));
  if (response == nullptr) return "what was stapled is no OCSP response";
  if (const int status = OCSP_response_status(response.get()); status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
    return std::string("the stapled OCSP response is an error: ") + OCSP_response_status_str(status);
  const std::unique_ptr<OCSP_BASICRESP, FreeOcsp> basic(OCSP_response_get1_basic(response.get()));
  if (basic == nullptr) return "the stapled OCSP response is of a kind that is not known";
  staple.produced_at = to_wall_time(OCSP_resp_get0_produced_at(basic.get()));

  // The chain that was verified reaches the issuer, which need not be sent; without verification there is only what
  // was.
  STACK_OF(X509)* chain = SSL_get0_verified_chain(ssl);
  if (chain == nullptr) chain = SSL_get_peer_cert_chain(ssl);
  const int certificates = sk_X509_num(chain);
  if (certificates < 1) return "there is no certificate that the stapled OCSP response could be about";
  X509* const leaf = sk_X509_value(chain, 0);
  X509* issuer = certificates > 1 ? sk_X509_value(chain, 1) : nullptr;
  if (X509_check_issued(leaf, leaf) == X509_V_OK) issuer = leaf;
  OCSP_SINGLERESP* single = nullptr;
  for (int i = 0; i < OCSP_resp_count(basic.get()) && single == nullptr; ++i) {
    OCSP_SINGLERESP* candidate = OCSP_resp_get0(basic.get(), i);
    if (is_about(candidate, leaf, issuer)) single = candidate;
  }
  if (single == nullptr) return "the stapled OCSP response is about another certificate";

  ASN1_GENERALIZEDTIME* revoked = nullptr;
  ASN1_GENERALIZEDTIME* since = nullptr;
  ASN1_GENERALIZEDTIME* until = nullptr;
  staple.status = OCSP_single_get0_status(single, nullptr, &revoked, &since, &until);
  staple.this_update = to_wall_time(since);
  staple.next_update = to_wall_time(until);
  staple.revoked_at = to_wall_time(revoked);

  X509_STORE* store = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl));
  if (!verification.skip && OCSP_basic_verify(basic.get(), chain, store, 0) != 1)
    return "the stapled OCSP response is not signed by the issuer: " + take_openssl_error();
  if (staple.status == V_OCSP_CERTSTATUS_REVOKED) return "the stapled OCSP response says that it was revoked";
  if (staple.status != V_OCSP_CERTSTATUS_GOOD) return "the stapled OCSP response says that it is not known";
  if (OCSP_check_validity(since, until, kClockSkewSeconds, -1) != 1)
    return "the stapled OCSP response is not fresh: " + take_openssl_error();
  return "";
}

int on_status(SSL* ssl, void* of) {
  auto* verification = static_cast<Verification*>(of);
  if (verification == nullptr) verification = attached_verification(ssl);
  return verification != nullptr ? judge_staple(ssl, *verification) : 0;
}

}  // namespace

int judge_staple(SSL* ssl, Verification& verification) {
  PeerChain& chain = verification.chain;
  const std::string wrong = read_staple(ssl, verification, chain.staple.emplace());
  if (wrong.empty() || !verification.staple_required) return 1;
  chain.verify_error = wrong;
  verification.reason = model::Reason::tls_verify;
  return 0;
}

void ask_for_staple(SSL_CTX* context, Verification* verification) {
  SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp);
  // What SSL_CTX_set_tlsext_status_cb does, without its cast of C.
  SSL_CTX_callback_ctrl(context, SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB, reinterpret_cast<void (*)()>(on_status));
  SSL_CTX_set_tlsext_status_arg(context, verification);
}

}  // namespace net
