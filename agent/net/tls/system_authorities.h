// The certificate authorities that the node trusts: those of OpenSSL's default file and folder. Any thread.
#pragma once

#include <openssl/ssl.h>

#include <string>

namespace net {

// The context trusts what the system does. False, with OpenSSL's errors queued, if that cannot be set up.
bool trust_system_authorities(SSL_CTX* context);

// For a chain that was refused: why the agent could not look for its issuer, such as a file that the agent's user may
// not read, or a node without any authority. "" if the context does not trust the system's, or could look.
std::string no_system_authorities(X509_STORE_CTX* context);

}  // namespace net
