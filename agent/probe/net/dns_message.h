// DNS messages (RFC 1035, 2782 SRV, 3596 AAAA, 6891 EDNS): the question that we send and whatever comes back. Every
// byte that comes back is doubted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace probe {

// Numbers of the types of IANA's list, and of TYPE65.
std::optional<std::uint16_t> dns_type_number(std::string_view name);
std::string dns_type_name(std::uint16_t type);                         // "TYPE4711" for one without a name
std::optional<std::uint16_t> dns_class_number(std::string_view name);  // IN, CH, HS, NONE, ANY
std::string dns_rcode_name(int rcode);                                 // "NXDOMAIN"
std::optional<int> dns_rcode(std::string_view name);

struct DnsRecord {
  std::string name;  // with the dot at its end
  std::uint16_t type = 0;
  std::uint16_t record_class = 1;
  std::uint32_t ttl = 0;
  std::string value;         // as in a zone file: "10 mail.example."; "\\# 2 00FF" of a type that is not understood
  std::uint32_t serial = 0;  // of SOA
  std::string text()
      const;  // name, ttl, class, type and value with tabs between, as the blackbox exporter matches them
};

struct DnsMessage {
  std::uint16_t id = 0;
  bool is_response = false;
  bool truncated = false;
  int rcode = 0;
  std::string question;  // "" if none was sent back
  std::uint16_t question_type = 0;
  std::vector<DnsRecord> answer, authority, additional;  // without EDNS' own pseudo record
};

struct DnsQuestion {
  std::string name;  // with or without the dot at its end
  std::uint16_t type = 1;
  bool recursion_desired = true;
  std::uint16_t record_class = 1;  // IN
};

// Without the length in front that TCP wants. Errors: the name has empty or too long parts.
base::Result<std::string> dns_query(std::uint16_t id, const DnsQuestion& question);
base::Result<DnsMessage> read_dns_message(std::string_view bytes);

}  // namespace probe
