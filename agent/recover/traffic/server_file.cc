#include "recover/traffic/server_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <sstream>
#include <utility>

namespace recover::traffic {
namespace {

constexpr std::string_view kDrained = "# drained by fettle for ";
constexpr std::string_view kUnhealthy = "# unhealthy, says fettle of ";
constexpr std::string_view kShare = "# slow start by fettle of ";
constexpr std::string_view kOwned =
    "# Owned by fettle: it adds and removes `down`. Only `server` lines may stand here.";
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
    const std::size_t end = comment.find(" #", mark.size());
    server.holder = comment.substr(mark.size(), end == comment.npos ? end : end - mark.size());
    if (end != comment.npos) server.note = comment.substr(end + 1);
    return true;
  };
  server.note = comment;
  if (comment.starts_with(kDrained) || comment.starts_with(kUnhealthy) || comment.starts_with(kShare)) server.note = "";
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

bool is_parameter(std::string_view word) {
  static constexpr std::string_view kWords[]{"backup", "down", "resolve"};
  static constexpr std::string_view kNumbers[]{"max_conns", "max_fails"};
  static constexpr std::string_view kTexts[]{"fail_timeout", "route", "service"};
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const auto is_one_of = [&](const auto& names) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
  };
  if (equals == word.npos) return is_one_of(kWords);
  const std::string_view value = word.substr(equals + 1);
  return (is_one_of(kNumbers) && is_number(value)) || (is_one_of(kTexts) && only(value, "._-"));
}

std::string complaint_of(std::string_view word, Server& server) {
  server.words.emplace_back(word);
  const std::string_view value = word.starts_with("weight=") ? word.substr(7) : "";
  if (word == "down") server.down = true;
  else if (is_number(value)) {
    std::from_chars(value.data(), value.data() + value.size(), server.weight);
    if (server.weight < 1) return "a weight of 0 is refused by nginx; down takes a server out";
  } else if (!is_parameter(word)) return fmt::format("'{}' is no parameter that fettle knows", word);
  return "";
}

// One line of the file: a server, or nothing but a comment; then its address is empty. Or what is wrong with it.
std::string read_line(const std::string& text, Server& server) {
  std::string line = text;
  server.raw = text;
  if (const std::size_t hash = line.find('#'); hash != line.npos) {
    read_mark(std::string_view(line).substr(hash), server);
    line.erase(hash);
  }
  std::replace(line.begin(), line.end(), '\t', ' ');
  line.erase(line.find_last_not_of(" \r") + 1);
  line.erase(0, line.find_first_not_of(' '));
  if (line.empty()) return "";
  if (line.back() != ';' || line.find(';') != line.size() - 1) return "not one statement that ends in ;";
  line.pop_back();
  std::istringstream words(line);
  std::string word;
  words >> word;
  if (word != "server") return fmt::format("'{}' is not `server`", word);
  words >> server.address;
  if (!is_address(server.address)) return fmt::format("'{}' is no address", server.address);
  while (words >> word)
    if (std::string complaint = complaint_of(word, server); !complaint.empty()) return complaint;
  return "";
}

// Whether the line that was read says the same.
bool is_unchanged(const Server& server) {
  Server read;
  if (server.raw.empty() || server.share < 100 || !read_line(server.raw, read).empty()) return false;
  const bool same_mark = read.holder == server.holder && (server.holder.empty() || read.hold == server.hold);
  return read.weight == server.weight && read.down == server.down && read.share == server.share && same_mark;
}

std::string line_of(const Server& server, bool scaled) {
  if (!scaled && is_unchanged(server)) return server.raw + "\n";
  const int weight = scaled ? server.weight * kScale * server.share / 100 : server.weight;
  const std::string weight_text = fmt::format("weight={}", weight);
  const std::size_t indent = std::min(server.raw.find_first_not_of(" \t"), server.raw.size());
  std::string out = server.raw.substr(0, server.raw.empty() ? 0 : indent) + "server " + server.address;
  const auto is_weight = [](const std::string& word) { return word.starts_with("weight="); };
  const bool has_weight = std::any_of(server.words.begin(), server.words.end(), is_weight);
  const bool has_down = std::find(server.words.begin(), server.words.end(), "down") != server.words.end();
  if (!has_weight && (weight != 1 || server.raw.empty())) out += " " + weight_text;
  for (const std::string& word : server.words)
    if (word != "down" || server.down) out += " " + (is_weight(word) ? weight_text : word);
  if (server.down && !has_down) out += " down";
  return out + ";" + mark_of(server) + (server.note.empty() ? "" : " " + server.note) + "\n";
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
  std::string line, before;
  int scale = 1;
  for (int number = 1; std::getline(lines, line); ++number) {
    Server server;
    if (line == kScaled) scale = kScale;
    if (const std::string what = read_line(line, server); !what.empty())
      return base::fail(base::Kind::invalid,
                        fmt::format("{}:{}: {}; only lines such as `server 10.0.0.11:8080 weight=2;` may stand in a "
                                    "file that fettle owns, so it was left as it is",
                                    path, number, what));
    if (server.address.empty()) {
      if (line != kScaled && line != kOwned) before += line + "\n";
      continue;
    }
    if (scale > 1) server.weight = std::max(1, server.weight * 100 / (scale * server.share));
    server.before = std::exchange(before, "");
    servers.push_back(std::move(server));
  }
  if (!servers.empty()) servers.back().after = std::move(before);
  return servers;
}

std::string to_text(const std::vector<Server>& servers) {
  std::string out = std::string(kOwned) + "\n";
  const bool scaled = std::any_of(servers.begin(), servers.end(), [](const Server& s) { return s.share < 100; });
  if (scaled) out += std::string(kScaled) + "\n";
  for (const Server& server : servers) out += server.before + line_of(server, scaled) + server.after;
  return out;
}

int live_count(const std::vector<Server>& servers) {
  return static_cast<int>(std::count_if(servers.begin(), servers.end(), [](const Server& s) { return !s.down; }));
}

}  // namespace recover::traffic
