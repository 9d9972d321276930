// PEM into a TLS context. OpenSSL gets bytes and never a path: files come through base::read_file, which takes regular
// ones up to a size and waits for none, whatever stands in their place.
#pragma once

#include <string>

#include "base/result.h"

namespace net::pem {

// Each with an SSL_CTX; false with the reason in OpenSSL's queue.
bool add_authorities(void* context, const std::string& text);   // certificates, and revocation lists beside them
bool name_authorities(void* context, const std::string& text);  // to clients, as those whose certificates are taken
bool use_certificate(void* context, const std::string& text);   // and what it was issued by, after it
bool use_private_key(void* context, const std::string& text);   // nobody is asked for a passphrase

// The file's text given to one of them. An error says "cannot WHAT FILE: why", of kind io.
base::Result<> load(void* context, bool (*into)(void*, const std::string&), const std::string& file,
                    const std::string& what);

}  // namespace net::pem
