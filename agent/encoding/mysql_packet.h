// The packets of MySQL and MariaDB (https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html), as far as a
// probe needs them: the server's greeting, a login, text answers. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace encoding::mysql {

inline constexpr std::uint32_t kLongPassword = 0x1, kLongFlag = 0x4, kWithDatabase = 0x8, kProtocol41 = 0x200,
                               kTls = 0x800, kTransactions = 0x2000, kSecureConnection = 0x8000, kPluginAuth = 0x80000;

// Reads from the front of a payload. After a read beyond its end everything is empty and `broken`.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t number(std::size_t size);  // little endian
  std::string text(std::size_t size);
  std::string until_zero();            // or the end
  std::uint64_t length();              // length-encoded integer; kNull for NULL
  std::optional<std::string> value();  // length-encoded string; nothing for NULL
  std::string rest();
  bool broken() const { return broken_; }
  bool at_end() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool broken_ = false;
};

struct Greeting {
  std::string version;
  std::uint32_t capabilities = 0;
  std::string salt;    // 20 bytes
  std::string plugin;  // method of login that the server would like
};
// Nothing: this is no greeting of protocol 10.
std::optional<Greeting> read_greeting(std::string_view payload);

struct ServerError {
  int code = 0;
  std::string text;
};
ServerError read_error(std::string_view payload);  // of a packet that begins with 0xff

std::string little_endian(std::uint64_t value, std::size_t size);
std::string packet(std::uint8_t sequence, std::string_view payload);

// The answer that proves the password, by method; nothing for a method that is not known.
std::optional<std::string> proof(std::string_view plugin, const std::string& password, std::string_view salt);

}  // namespace encoding::mysql
