// The client's side of SCRAM-SHA-256 (RFC 5802, 7677), without channel binding: the password is never sent, and the
// server proves that it knows it, too. One login. About 2 ms of computing at PostgreSQL's 4096 rounds.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace crypto {

class ScramClient {
 public:
  // `nonce`: printable, never used before. The password as people type it; it goes through SASLprep.
  ScramClient(std::string_view user, std::string_view password, std::string nonce);
  std::string first() const;
  // The answer to the server's first message. Errors: it is not one, or asks for more rounds than is sensible.
  base::Result<std::string> final(std::string_view server_first);
  // Whether the server's last message proves that it knows the password. Only after final().
  bool proves(std::string_view server_final) const;

 private:
  std::string bare_, password_, nonce_;
  std::string expected_;  // of the server's last message
};

}  // namespace crypto
