#include "encoding/mysql_packet.h"

#include <algorithm>

#include "crypto/digest.h"
#include "crypto/hmac.h"

namespace encoding::mysql {
namespace {

std::string xored(std::string a, std::string_view b) {
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) a[i] = static_cast<char>(a[i] ^ b[i]);
  return a;
}

}  // namespace

std::uint64_t Reader::number(std::size_t size) {
  const std::string bytes = text(size);
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::string Reader::text(std::size_t size) {
  if (size > bytes_.size()) {
    broken_ = true;
    bytes_ = {};
    return "";
  }
  std::string out(bytes_.substr(0, size));
  bytes_.remove_prefix(size);
  return out;
}

std::string Reader::until_zero() {
  const std::size_t end = std::min(bytes_.find('\0'), bytes_.size());
  std::string out(bytes_.substr(0, end));
  bytes_.remove_prefix(std::min(end + 1, bytes_.size()));
  return out;
}

std::uint64_t Reader::length() {
  const std::uint64_t first = number(1);
  if (first == 0xfc) return number(2);
  if (first == 0xfd) return number(3);
  if (first == 0xfe) return number(8);
  return first;
}

std::optional<std::string> Reader::value() {
  if (bytes_.starts_with('\xfb')) {
    bytes_.remove_prefix(1);
    return std::nullopt;
  }
  return text(static_cast<std::size_t>(length()));
}

std::string Reader::rest() { return text(bytes_.size()); }

std::optional<Greeting> read_greeting(std::string_view payload) {
  Reader in(payload);
  Greeting greeting;
  if (in.number(1) != 10) return std::nullopt;
  greeting.version = in.until_zero();
  in.number(4);  // id of the connection
  greeting.salt = in.text(8);
  in.number(1);
  greeting.capabilities = static_cast<std::uint32_t>(in.number(2));
  in.number(1 + 2);  // character set, status
  greeting.capabilities |= static_cast<std::uint32_t>(in.number(2)) << 16;
  const std::size_t salt_size = in.number(1);
  in.text(10);
  if ((greeting.capabilities & kSecureConnection) == 0) return std::nullopt;
  greeting.salt += in.text(std::max<std::size_t>(13, salt_size > 8 ? salt_size - 8 : 0));
  greeting.salt.resize(20);
  if ((greeting.capabilities & kPluginAuth) != 0) greeting.plugin = in.until_zero();
  if (in.broken()) return std::nullopt;
  return greeting;
}

ServerError read_error(std::string_view payload) {
  Reader in(payload);
  in.number(1);
  ServerError error{static_cast<int>(in.number(2)), in.rest()};
  if (error.text.starts_with("#")) error.text.erase(0, std::min<std::size_t>(6, error.text.size()));
  return error;
}

std::string little_endian(std::uint64_t value, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

std::string packet(std::uint8_t sequence, std::string_view payload) {
  return little_endian(payload.size(), 3) + static_cast<char>(sequence) + std::string(payload);
}

std::optional<std::string> proof(std::string_view plugin, const std::string& password, std::string_view salt) {
  const bool native = plugin == "mysql_native_password";
  if (!native && plugin != "caching_sha2_password") return std::nullopt;
  if (password.empty()) return "";
  if (native) {
    const std::string once = crypto::sha1(password);
    return xored(once, crypto::sha1(std::string(salt) + crypto::sha1(once)));
  }
  const std::string once = crypto::sha256(password);
  return xored(once, crypto::sha256(crypto::sha256(once) + std::string(salt)));
}

}  // namespace encoding::mysql
