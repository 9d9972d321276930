#include "net/tls/system_authorities.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace net {
namespace {

namespace fs = std::filesystem;

std::string place(const char* variable, const char* usual) {
  const char* named = ::secure_getenv(variable);
  return named != nullptr ? named : usual;
}

bool may_read(const std::string& path) { return ::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) == 0; }

int mark() {
  static const int index = X509_STORE_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

// As c_rehash and OpenSSL name them: the hash of the subject, a dot, and a number.
bool is_hashed(std::string_view name) {
  const std::size_t dot = name.find('.');
  return dot == 8 && name.substr(0, dot).find_first_not_of("0123456789abcdef") == std::string_view::npos &&
         name.size() > dot + 1 && name.find_first_not_of("0123456789", dot + 1) == std::string_view::npos;
}

bool has_any(const std::string& folder) {
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code))
    if (is_hashed(it->path().filename().string()) && may_read(it->path())) return true;
  return false;
}

}  // namespace

bool trust_system_authorities(SSL_CTX* context) {
  static int yes = 1;
  X509_STORE_set_ex_data(SSL_CTX_get_cert_store(context), mark(), &yes);
  return SSL_CTX_set_default_verify_paths(context) == 1;
}

std::string no_system_authorities(X509_STORE_CTX* context) {
  if (X509_STORE_get_ex_data(X509_STORE_CTX_get0_store(context), mark()) == nullptr) return "";
  switch (X509_STORE_CTX_get_error(context)) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: break;
    default: return "";
  }
  const std::string file = place("SSL_CERT_FILE", X509_get_default_cert_file());
  const std::string folders = place("SSL_CERT_DIR", X509_get_default_cert_dir());
  bool any = may_read(file);
  const X509* last = X509_STORE_CTX_get_current_cert(context);
  for (std::size_t at = 0; at <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', at), folders.size());
    const std::string folder = folders.substr(at, end - at);
    at = end + 1;
    if (folder.empty()) continue;
    if (last != nullptr) {
      // The one that was looked for is there, and closed to the agent.
      int hashed = 0;
      const unsigned long hash = X509_NAME_hash_ex(X509_get_issuer_name(last), nullptr, nullptr, &hashed);
      const std::string wanted = fmt::format("{}/{:08x}.0", folder, hash);
      if (hashed == 1 && !may_read(wanted) && errno == EACCES)
        return fmt::format("cannot read {}, the authority that signed it: {}", wanted, std::strerror(EACCES));
    }
    any = any || has_any(folder);
  }
  if (any) return "";
  return fmt::format(
      "the agent finds no certificate authorities of the system in {} and {}: install ca-certificates, let the agent's "
      "user read them, or set ca_file",
      file, folders);
}

}  // namespace net
