#include "recover/traffic/haproxy_stat.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <sstream>
#include <string_view>

#include "base/text.h"

namespace recover::traffic {
namespace {

// Fields of one line; one that begins with a quote may hold commas, and a doubled quote is one.
std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') out.back() += line[++i];
    else if (c == '"') quoted = !quoted;
    else if (c == ',' && !quoted) out.emplace_back();
    else out.back() += c;
  }
  return out;
}

int number(const std::string& text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

base::Result<std::vector<BackendServer>> parse_stat(const std::string& csv, std::string_view backend) {
  std::istringstream lines(csv);
  std::string line;
  std::getline(lines, line);
  if (!line.starts_with("# "))
    return base::fail(base::Kind::protocol, fmt::format("no statistics but: {}", base::shortened(line, 200)));
  const std::vector<std::string> names = fields_of(line.substr(2));
  const auto column = [&](std::string_view name) {
    return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
  };
  const std::size_t proxy = column("pxname"), name = column("svname"), status = column("status"),
                    weight = column("weight"), sessions = column("scur");
  const std::size_t last = std::max({proxy, name, status, weight, sessions});
  if (last >= names.size())
    return base::fail(base::Kind::protocol, "statistics without pxname, svname, status, weight and scur");
  std::vector<BackendServer> out;
  while (std::getline(lines, line)) {
    const std::vector<std::string> fields = fields_of(line);
    if (fields.size() > last && fields[proxy] == backend)
      out.push_back({fields[name], fields[status], number(fields[weight]), number(fields[sessions])});
  }
  return out;
}

base::Result<AdminState> parse_admin_state(const std::string& table, const std::string& server) {
  constexpr unsigned kForcedMaintenance = 0x01, kForcedDrain = 0x08;  // srv_admin_state
  const auto words = [](const std::string& line) {
    std::istringstream in(line);
    return std::vector<std::string>(std::istream_iterator<std::string>(in), {});
  };
  std::istringstream lines(table);
  std::string line;
  std::vector<std::string> names;
  while (std::getline(lines, line)) {
    if (line.starts_with("# ")) {
      names = words(line.substr(2));
      continue;
    }
    const auto column = [&](std::string_view name) {
      return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    };
    const std::vector<std::string> fields = words(line);
    const std::size_t name = column("srv_name"), state = column("srv_admin_state");
    if (std::max(name, state) >= names.size() || std::max(name, state) >= fields.size()) continue;
    if (fields[name] != server) continue;
    const auto flags = static_cast<unsigned>(number(fields[state]));
    if ((flags & kForcedMaintenance) != 0) return AdminState::maintenance;
    return (flags & kForcedDrain) != 0 ? AdminState::drain : AdminState::ready;
  }
  return base::fail(base::Kind::protocol,
                    fmt::format("no state of server {} in: {}", server, base::shortened(table, 200)));
}

}  // namespace recover::traffic
