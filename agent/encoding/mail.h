// A mail as it goes over the wire (RFC 5322, 2045 to 2047): headers, addresses, and a body that is text, HTML or both.
// Pure; from any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace encoding {

struct MailAddress {
  std::string name;     // "" if there is none
  std::string mailbox;  // ops@shop.example
};

// "ops@shop.example, On Call <oncall@shop.example>". Errors: which part is no address; mailboxes are ASCII.
base::Result<std::vector<MailAddress>> parse_mail_addresses(std::string_view list);
// The same list as the value of a header.
std::string mail_addresses_header(const std::vector<MailAddress>& addresses);

// A text as the value of a header: on one line, in encoded words where it is not plain ASCII or long.
std::string mail_header_value(std::string_view text);
std::string quoted_printable(std::string_view text);  // lines end with CRLF
std::string mail_date(base::WallTime t);              // Tue, 14 Nov 2023 22:13:20 +0000

// The names and values of headers are whole already. Of text and HTML one may be "". `boundary` is a word of letters
// and digits; it stands between the two.
std::string make_mail(const std::vector<std::pair<std::string, std::string>>& headers, std::string_view text,
                      std::string_view html, std::string_view boundary);

}  // namespace encoding
