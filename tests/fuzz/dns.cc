// DNS messages.
#include <string>

#include "fuzz/fuzz.h"
#include "probe/net/dns_message.h"

void fuzz::one_input(std::string_view bytes) {
  const auto message = probe::read_dns_message(bytes);
  if (!message) return require(!message.error().text.empty(), "a refusal has a reason");
  for (const auto* section : {&message->answer, &message->authority, &message->additional})
    for (const probe::DnsRecord& record : *section) {
      require(record.name.ends_with('.'), "names end with a dot");
      require(record.text().find('\n') == std::string::npos, "a record is one line");
    }
}
