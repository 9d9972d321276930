#include "app/local_port.h"

#include "base/number.h"

namespace app {

std::uint16_t local_port(std::string_view target) {
  std::uint16_t port = 0;
  if (const std::size_t scheme = target.find("://"); scheme != std::string_view::npos) {
    port = target.starts_with("https") ? 443 : 80;
    target.remove_prefix(scheme + 3);
  }
  std::string_view authority = target.substr(0, target.find_first_of("/? "));
  if (const std::size_t user = authority.rfind('@'); user != std::string_view::npos) authority.remove_prefix(user + 1);
  const std::size_t colon = authority.ends_with(']') ? std::string_view::npos : authority.rfind(':');
  if (colon != std::string_view::npos) port = base::read_number<std::uint16_t>(authority.substr(colon + 1)).value_or(0);
  const std::string_view host = authority.substr(0, colon);
  const bool here = host.starts_with("127.") || host == "localhost" || host == "[::1]";
  return here ? port : std::uint16_t{0};
}

}  // namespace app
