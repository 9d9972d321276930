#include "os/socket_table.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <optional>

#include "base/ascii.h"
#include "base/number.h"

namespace os {
namespace {

// As the kernel numbers them, include/net/tcp_states.h.
constexpr std::array<std::string_view, 13> kStates{"?",         "ESTABLISHED", "SYN_SENT",    "SYN_RECV",   "FIN_WAIT1",
                                                   "FIN_WAIT2", "TIME_WAIT",   "CLOSE",       "CLOSE_WAIT", "LAST_ACK",
                                                   "LISTEN",    "CLOSING",     "NEW_SYN_RECV"};

constexpr std::size_t kTimeWait = 6;

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

std::string_view next_word(std::string_view& row) {
  row.remove_prefix(std::min(row.find_first_not_of(' '), row.size()));
  return base::take_until(row, ' ');
}

template <typename N>
N hex(std::string_view text) {
  return base::leading_number<N>(text, 16).value_or(0);
}

std::optional<TcpSocket> read_row(std::string_view row) {
  next_word(row);  // its number
  std::string_view local = next_word(row), remote = next_word(row), queues;
  const auto state = hex<std::size_t>(next_word(row));
  if (state == kTimeWait) return {};
  queues = next_word(row);
  next_word(row);  // timer
  next_word(row);  // retransmits
  TcpSocket out;
  out.user = base::leading_number<uid_t>(next_word(row)).value_or(0);
  next_word(row);  // timeout
  const auto inode = base::leading_number<std::uint64_t>(next_word(row));
  if (!inode) return {};
  out.inode = *inode;
  out.address = address_in(base::take_until(local, ':'));
  out.port = hex<std::uint16_t>(local);
  out.peer = address_in(base::take_until(remote, ':'));
  out.peer_port = hex<std::uint16_t>(remote);
  out.state = kStates[state < kStates.size() ? state : 0];
  out.to_send = hex<std::uint64_t>(base::take_until(queues, ':'));
  out.to_read = hex<std::uint64_t>(queues);
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
