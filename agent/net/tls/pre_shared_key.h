// A key that both sides know, in place of certificates (RFC 4279; in TLS 1.3 an external PSK). Used inside net/ only.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include "base/result.h"
#include "base/secret.h"

namespace net {

// Makes the context offer this key, and no cipher of TLS 1.2 that would do without it. `key`: hexadecimal digits, of 16
// bytes at least.
base::Result<> use_pre_shared_key(SSL_CTX* context, const std::string& identity, const base::Secret& key);

}  // namespace net
