// The protocol of zabbix_sender and Zabbix's trapper: packets of a header and JSON, and what a server answers to
// values. Pure; from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "notify/notifier.h"

namespace notify {

// An answer has some hundred bytes.
inline constexpr std::size_t kLongestZabbixAnswer = 64 * 1024;

// "ZBXD", flags 1, the length and a reserved zero (32 bits each, little endian), then the JSON.
std::string zabbix_packet(std::string_view json);

// The JSON of the packet that `bytes` begin with; none: it is not complete. An error, which says what came: this is no
// such packet, or one that is compressed, large or longer than kLongestZabbixAnswer.
base::Result<std::optional<std::string>> read_zabbix_packet(std::string_view bytes);

// What an answer means for the one value that was sent. A server says "success" also for a value that it did not take;
// how many those are stands in a text beside it.
Sent judge_zabbix_answer(const std::string& json);

}  // namespace notify
