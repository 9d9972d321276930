// Certificates of each kind for a real server on 127.0.0.1, as files in a folder, and what a probe that goes on in TLS
// must say of each: the same for every protocol.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "fakes/certificates.h"
#include "model/outcome.h"

namespace fakes {

class CertificateKinds {
 public:
  // Writes server.pem, server.key, client.pem, client.key, ca.pem and other-ca.pem into the folder.
  explicit CertificateKinds(std::string folder, long good_for_seconds = 30 * 86'400) : folder_(std::move(folder)) {
    authority_.write(folder_ + "/ca.pem");
    make_certificate({.common_name = "another authority", .authority = true}).write(folder_ + "/other-ca.pem");
    make_certificate({.common_name = "fettle", .issuer = &authority_})
        .write(folder_ + "/client.pem", folder_ + "/client.key");
    serve(good_for_seconds);
  }
  // From now on, if the server reads its files again, its certificate is one that has expired.
  void expire() const { serve(-3600); }

  std::string trusted() const { return "tls_config.ca_file=" + folder_ + "/ca.pem"; }
  std::vector<std::string> client() const {
    return {trusted(), "tls_config.cert_file=" + folder_ + "/client.pem",
            "tls_config.key_file=" + folder_ + "/client.key"};
  }

  using Run = std::function<model::Outcome(const std::vector<std::string>& settings)>;
  // While the server's certificate is good.
  void check(const Run& run) const {
    struct Row {
      const char* name;
      std::vector<std::string> settings;
      model::Reason reason;
    };
    for (const Row& row : {
             Row{"its authority", {trusted()}, model::Reason::none},
             Row{"its authority, TLS 1.2", {trusted(), "tls_config.max_version=TLS12"}, model::Reason::none},
             Row{"another authority", {"tls_config.ca_file=" + folder_ + "/other-ca.pem"}, model::Reason::tls_verify},
             Row{"the node's authorities", {}, model::Reason::tls_verify},
             Row{"another name", {trusted(), "tls_config.server_name=elsewhere.test"}, model::Reason::tls_verify},
             Row{"any certificate", {"tls_config.insecure_skip_verify=true"}, model::Reason::none},
         }) {
      CAPTURE(row.name);
      const model::Outcome outcome = run(row.settings);
      CAPTURE(outcome.text);
      CHECK(outcome.reason == row.reason);
    }
  }
  // After expire(), once the server has read its files again.
  void check_expired(const Run& run) const {
    const model::Outcome outcome = run({trusted()});
    CAPTURE(outcome.text);
    CHECK(outcome.reason == model::Reason::tls_expired);
    CHECK(run({"tls_config.insecure_skip_verify=true"}).up);
  }

 private:
  void serve(long until) const {
    make_certificate({.common_name = "shop",
                      .alternative = "IP:127.0.0.1,DNS:localhost",
                      .from_seconds = -7 * 86'400,
                      .until_seconds = until,
                      .issuer = &authority_})
        .write(folder_ + "/server.pem", folder_ + "/server.key");
  }

  std::string folder_;
  Certificate authority_ = make_certificate({.common_name = "the shop's authority",
                                             .from_seconds = -30 * 86'400,
                                             .until_seconds = 365 * 86'400,
                                             .authority = true});
};

}  // namespace fakes
