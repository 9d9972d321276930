#include "os/socket_table.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <array>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

#include "base/number.h"

namespace os {
namespace {

// As the kernel numbers them, include/net/tcp_states.h.
constexpr std::array<std::string_view, 13> kStates{"?",         "ESTABLISHED", "SYN_SENT",    "SYN_RECV",   "FIN_WAIT1",
                                                   "FIN_WAIT2", "TIME_WAIT",   "CLOSE",       "CLOSE_WAIT", "LAST_ACK",
                                                   "LISTEN",    "CLOSING",     "NEW_SYN_RECV"};

// "0100007F", or 32 digits: words of four bytes, each in the order of this processor.
std::string address_in(std::string_view hex) {
  std::array<std::uint32_t, 4> words{};
  const std::size_t count = hex.size() / 8;
  if (count != 1 && count != 4) return "";
  for (std::size_t i = 0; i < count; ++i)
    words[i] = base::leading_number<std::uint32_t>(hex.substr(i * 8, 8), 16).value_or(0);
  std::array<char, INET6_ADDRSTRLEN> text{};
  in6_addr v6{};
  std::memcpy(&v6, words.data(), sizeof v6);
  if (count == 4 && !IN6_IS_ADDR_V4MAPPED(&v6)) return ::inet_ntop(AF_INET6, &v6, text.data(), text.size());
  return ::inet_ntop(AF_INET, count == 4 ? &words[3] : words.data(), text.data(), text.size());
}

std::optional<TcpSocket> read_row(const std::string& row) {
  std::istringstream words(row);
  std::string number, local, remote, state, queues, timer, retransmits;
  std::uint64_t timeout = 0;
  TcpSocket out;
  words >> number >> local >> remote >> state >> queues >> timer >> retransmits >> out.user >> timeout >> out.inode;
  const std::size_t at = local.find(':'), there = remote.find(':'), colon = queues.find(':');
  if (!words || at == std::string::npos || there == std::string::npos || colon == std::string::npos) return {};
  out.address = address_in(std::string_view(local).substr(0, at));
  out.port = base::leading_number<std::uint16_t>(std::string_view(local).substr(at + 1), 16).value_or(0);
  out.peer = address_in(std::string_view(remote).substr(0, there));
  out.peer_port = base::leading_number<std::uint16_t>(std::string_view(remote).substr(there + 1), 16).value_or(0);
  const auto index = base::leading_number<std::size_t>(state, 16).value_or(0);
  out.state = kStates[index < kStates.size() ? index : 0];
  out.to_send = base::leading_number<std::uint64_t>(queues, 16).value_or(0);
  out.to_read = base::leading_number<std::uint64_t>(std::string_view(queues).substr(colon + 1), 16).value_or(0);
  return out;
}

}  // namespace

std::vector<TcpSocket> tcp_sockets(const KernelFiles& files, std::size_t most) {
  std::vector<TcpSocket> out;
  for (const char* name : {"/net/tcp", "/net/tcp6"}) {
    std::ifstream in(files.proc + name);
    std::string row;
    std::getline(in, row);  // the names of the columns
    for (std::size_t rows = 0; rows < most && std::getline(in, row); ++rows)
      if (auto socket = read_row(row)) out.push_back(*std::move(socket));
  }
  return out;
}

}  // namespace os
