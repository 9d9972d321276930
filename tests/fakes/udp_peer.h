// A UDP server on 127.0.0.1 with a thread of its own: answers each datagram as it is told, or keeps silent.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "base/unique_fd.h"

namespace fakes {

class UdpPeer {
 public:
  // "" for an answer: none is sent.
  explicit UdpPeer(std::function<std::string(const std::string& datagram)> answer)
      : answer_(std::move(answer)), socket_(bind_loopback(port_)), stop_(::eventfd(0, EFD_CLOEXEC)) {
    thread_ = std::thread([this] { serve(); });
  }
  ~UdpPeer() {
    ::eventfd_write(stop_.value(), 1);
    thread_.join();
  }
  UdpPeer(const UdpPeer&) = delete;
  UdpPeer& operator=(const UdpPeer&) = delete;
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // A socket of that kind by itself; a port on which nobody listens once it is dropped.
  static base::UniqueFd bind_loopback(std::uint16_t& port) {
    base::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd.value(), reinterpret_cast<sockaddr*>(&address), size) != 0) std::abort();
    ::getsockname(fd.value(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    return fd;
  }

 private:
  void serve() {
    while (true) {
      pollfd wait[] = {{socket_.value(), POLLIN, 0}, {stop_.value(), POLLIN, 0}};
      if (::poll(wait, 2, -1) < 0 || wait[1].revents != 0) return;
      char bytes[4096];
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const ssize_t n = ::recvfrom(socket_.value(), bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (n < 0) continue;
      const std::string said = answer_(std::string(bytes, static_cast<std::size_t>(n)));
      if (!said.empty())
        ::sendto(socket_.value(), said.data(), said.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }

  std::function<std::string(const std::string&)> answer_;
  std::uint16_t port_ = 0;
  base::UniqueFd socket_;
  base::UniqueFd stop_;
  std::thread thread_;
};

}  // namespace fakes
