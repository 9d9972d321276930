#include "notify/zabbix/sender_protocol.h"

#include <fmt/format.h>

#include <cstdint>

#include "base/number.h"
#include "base/text.h"
#include "encoding/json_value.h"

namespace notify {
namespace {

constexpr std::string_view kMagic = "ZBXD";
constexpr std::size_t kHeader = 13;  // magic, flags, length, reserved
constexpr unsigned char kProtocol = 0x01, kCompressed = 0x02, kLarge = 0x04;

void put_32_bits(std::string& out, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 0xff);
}

std::uint32_t take_32_bits(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// The number after `word`, in "processed: 1; failed: 0; total: 1; seconds spent: 0.000055".
std::optional<std::uint64_t> count_of(std::string_view info, std::string_view word) {
  const std::size_t at = info.find(word);
  if (at == std::string_view::npos) return std::nullopt;
  return base::leading_number<std::uint64_t>(info.substr(at + word.size()));
}

}  // namespace

std::string zabbix_packet(std::string_view json) {
  std::string out(kMagic);
  out += static_cast<char>(kProtocol);
  put_32_bits(out, static_cast<std::uint32_t>(json.size()));
  put_32_bits(out, 0);
  return out.append(json);
}

base::Result<std::optional<std::string>> read_zabbix_packet(std::string_view bytes) {
  const auto refuse = [](std::string text) { return base::fail(base::Kind::invalid, std::move(text)); };
  const std::size_t magic = std::min(bytes.size(), kMagic.size());
  if (bytes.substr(0, magic) != kMagic.substr(0, magic))
    return refuse("does not speak Zabbix's protocol: " + base::shown(bytes));
  if (bytes.size() <= kMagic.size()) return std::nullopt;
  const auto flags = static_cast<unsigned char>(bytes[kMagic.size()]);
  if ((flags & kCompressed) != 0) return refuse("answers with a compressed packet, which was not asked for");
  if ((flags & kLarge) != 0) return refuse("answers with a large packet, of 64 bits of length");
  if (flags != kProtocol) return refuse(fmt::format("answers with a packet of unknown flags {:#04x}", flags));
  if (bytes.size() < kHeader) return std::nullopt;
  const std::size_t length = take_32_bits(bytes.substr(kMagic.size() + 1));
  if (length > kLongestZabbixAnswer)
    return refuse(fmt::format("answers with {} bytes; at most {} are read", length, kLongestZabbixAnswer));
  if (bytes.size() - kHeader < length) return std::nullopt;
  return std::string(bytes.substr(kHeader, length));
}

Sent judge_zabbix_answer(const std::string& json) {
  const encoding::json answer = encoding::read_json(json);
  const std::string response = encoding::text_of(encoding::member(answer, "response"));
  const std::string info = encoding::text_of(encoding::member(answer, "info"));
  Sent sent;
  if (response == "failed") {
    sent.fate = Fate::refused;
    sent.text = "refuses the value: " + (info.empty() ? "failed" : base::foreign_text(info, 1024));
    return sent;
  }
  const auto processed = count_of(info, "processed: "), failed = count_of(info, "failed: ");
  if (response != "success" || !processed || !failed) {
    sent.text = "does not say whether it took the value: " + base::shown(json);
    return sent;
  }
  const bool taken = *processed > 0 && *failed == 0;
  sent.fate = taken ? Fate::taken : Fate::refused;
  sent.text = base::foreign_text(info, 200);
  // It does not say which of these it is.
  if (!taken)
    sent.text = fmt::format(
        "did not take the value ({}): it needs a trapper item of this key, on an enabled host of this name that allows "
        "this sender; of a new one the server learns with its next refresh (CacheUpdateFrequency)",
        sent.text);
  return sent;
}

}  // namespace notify
