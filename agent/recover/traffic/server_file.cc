#include "recover/traffic/server_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

namespace recover::traffic {
namespace {

constexpr std::string_view kDrained = "# drained by fettle for ";
constexpr std::string_view kUnhealthy = "# unhealthy, says fettle of ";
constexpr std::string_view kShare = "# slow start by fettle of ";
constexpr std::string_view kScaled = "# All weights are 20 times as large while a server starts slowly.";

bool only(std::string_view text, std::string_view more) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           more.find(c) != std::string_view::npos;
  });
}

bool is_number(std::string_view text) { return only(text, "") && text.find_first_not_of("0123456789") == text.npos; }

// What fettle noted behind a server line.
void read_mark(std::string_view comment, Server& server) {
  const auto is = [&](std::string_view mark) {
    if (!comment.starts_with(mark)) return false;
    server.holder = comment.substr(mark.size());
    return true;
  };
  if (is(kDrained)) server.hold = Hold::drained;
  else if (is(kUnhealthy)) server.hold = Hold::unhealthy;
  else if (is(kShare)) {  // "order: 25 %"
    const std::size_t colon = server.holder.rfind(": ");
    if (colon == std::string::npos) return server.holder.clear();
    std::from_chars(server.holder.data() + colon + 2, server.holder.data() + server.holder.size(), server.share);
    server.holder.resize(colon);
    if (server.share < kShareStep || server.share > 100) server.share = 100;
  }
}

std::string mark_of(const Server& server) {
  if (server.holder.empty()) return "";
  if (server.down && server.hold == Hold::drained) return fmt::format(" {}{}", kDrained, server.holder);
  if (server.down && server.hold == Hold::unhealthy) return fmt::format(" {}{}", kUnhealthy, server.holder);
  if (!server.down && server.share < 100) return fmt::format(" {}{}: {} %", kShare, server.holder, server.share);
  return "";
}

std::string complaint_of(std::string_view word, Server& server) {
  const std::size_t equals = word.find('=');
  const std::string_view value = equals == word.npos ? "" : word.substr(equals + 1);
  const std::string_view name = word.substr(0, equals);
  if (word == "down") server.down = true;
  else if (name == "weight" && is_number(value)) {
    std::from_chars(value.data(), value.data() + value.size(), server.weight);
    if (server.weight < 1) return "a weight of 0 is refused by nginx; down takes a server out";
  } else if (word == "backup" || (name == "max_fails" && is_number(value)) ||
             (name == "fail_timeout" && only(value, "")))
    server.rest.emplace_back(word);
  else return fmt::format("'{}' is no parameter that fettle knows", word);
  return "";
}

}  // namespace

bool is_address(std::string_view text) {
  if (text.starts_with("unix:/")) return only(text.substr(6), "/._-");
  if (text.starts_with("[")) {
    const std::size_t end = text.find("]:");
    return end != text.npos && only(text.substr(1, end - 1), ":.") && is_number(text.substr(end + 2));
  }
  const std::size_t colon = text.rfind(':');
  return colon != text.npos && only(text.substr(0, colon), "._-") && is_number(text.substr(colon + 1));
}

base::Result<std::vector<Server>> parse_servers(const std::string& text, const std::string& path) {
  std::vector<Server> servers;
  std::istringstream lines(text);
  std::string line;
  int scale = 1;
  for (int number = 1; std::getline(lines, line); ++number) {
    const auto mistake = [&](std::string_view what) {
      return base::fail(base::Kind::invalid,
                        fmt::format("{}:{}: {}; only lines such as `server 10.0.0.11:8080 weight=2;` may stand in a "
                                    "file that fettle owns, so it was left as it is",
                                    path, number, what));
    };
    Server server;
    if (const std::size_t hash = line.find('#'); hash != line.npos) {
      const std::string_view comment = std::string_view(line).substr(hash);
      if (comment == kScaled) scale = kScale;
      read_mark(comment, server);
      line.erase(hash);
    }
    std::replace(line.begin(), line.end(), '\t', ' ');
    line.erase(line.find_last_not_of(" \r") + 1);
    line.erase(0, line.find_first_not_of(' '));
    if (line.empty()) continue;
    if (line.back() != ';' || line.find(';') != line.size() - 1) return mistake("not one statement that ends in ;");
    line.pop_back();
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word != "server") return mistake(fmt::format("'{}' is not `server`", word));
    words >> server.address;
    if (!is_address(server.address)) return mistake(fmt::format("'{}' is no address", server.address));
    while (words >> word)
      if (const std::string complaint = complaint_of(word, server); !complaint.empty()) return mistake(complaint);
    if (scale > 1) server.weight = std::max(1, server.weight * 100 / (scale * server.share));
    servers.push_back(std::move(server));
  }
  return servers;
}

std::string to_text(const std::vector<Server>& servers) {
  std::string out = "# Owned by fettle: it adds and removes `down`. Only `server` lines may stand here.\n";
  const bool scaled = std::any_of(servers.begin(), servers.end(), [](const Server& s) { return s.share < 100; });
  if (scaled) out += std::string(kScaled) + "\n";
  for (const Server& server : servers) {
    const int weight = scaled ? server.weight * kScale * server.share / 100 : server.weight;
    out += fmt::format("server {} weight={}", server.address, weight);
    for (const std::string& word : server.rest) out += " " + word;
    out += fmt::format("{};{}\n", server.down ? " down" : "", mark_of(server));
  }
  return out;
}

int live_count(const std::vector<Server>& servers) {
  return static_cast<int>(std::count_if(servers.begin(), servers.end(), [](const Server& s) { return !s.down; }));
}

}  // namespace recover::traffic
