// Messages of sock_diag as the kernel writes them, for tests of who reads them.
#pragma once

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/tcp.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fakes {

template <typename T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

inline std::string padded(std::string bytes) {
  bytes.resize((bytes.size() + 3) & ~std::size_t{3});
  return bytes;
}

inline std::string attribute(unsigned short type, std::string_view value) {
  const rtattr header{.rta_len = static_cast<unsigned short>(sizeof(rtattr) + value.size()), .rta_type = type};
  return padded(bytes_of(header) + std::string(value));
}

inline std::string netlink_message(std::uint16_t type, std::string_view body) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + body.size());
  header.nlmsg_type = type;
  return padded(bytes_of(header) + std::string(body));
}

inline std::string socket_message(const inet_diag_msg& message, std::string_view attributes = "") {
  return netlink_message(TCPDIAG_GETSOCK, bytes_of(message) + std::string(attributes));
}

// The end of a dump, or with a negative errno why it ended.
inline std::string end_message(std::int32_t code = 0) { return netlink_message(NLMSG_DONE, bytes_of(code)); }

}  // namespace fakes
