#include "bench/probe_cost/exporter.h"

#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string_view>

namespace bench {
namespace {

// The body of an answer, put together if it came in chunks.
std::string whole(const std::string& answer) {
  std::size_t at = answer.find("\r\n\r\n") + 4;
  if (answer.find("Transfer-Encoding: chunked") == std::string::npos) return answer.substr(at);
  std::string body;
  while (at < answer.size()) {
    const std::size_t length = std::strtoul(answer.c_str() + at, nullptr, 16);
    at = answer.find("\r\n", at) + 2;
    if (length == 0) break;
    body += answer.substr(at, length);
    at += length + 2;
  }
  return body;
}

}  // namespace

pid_t start_exporter(const std::string& authority, int& port) {
  char config[] = "/tmp/fettle-bench-XXXXXX";
  const int config_fd = ::mkstemp(config);
  if (config_fd < 0) die("mkstemp");
  ::close(config_fd);
  std::ofstream(config) << "modules:\n"
                           "  http: {prober: http, timeout: 2s, http: {preferred_ip_protocol: ip4}}\n"
                           "  tcp: {prober: tcp, timeout: 2s, tcp: {preferred_ip_protocol: ip4}}\n"
                           "  https: {prober: http, timeout: 2s, http: {preferred_ip_protocol: ip4, "
                           "tls_config: {ca_file: "
                        << authority << "}}}\n";
  int log[2];
  if (::pipe(log) != 0) die("pipe");
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(log[1], 2);
    const std::string file = std::string("--config.file=") + config;
    ::execl(kExporter, kExporter, file.c_str(), "--web.listen-address=127.0.0.1:0", nullptr);
    ::_exit(127);
  }
  ::close(log[1]);
  std::string text;
  char buffer[4096];
  constexpr std::string_view mark = "address=127.0.0.1:";
  while (true) {
    const std::size_t at = text.find(mark);
    if (at != std::string::npos && text.find_first_not_of("0123456789", at + mark.size()) != std::string::npos) {
      port = std::atoi(text.c_str() + at + mark.size());
      if (port != 0) break;
      text.erase(0, at + mark.size());
      continue;
    }
    const ssize_t n = ::read(log[0], buffer, sizeof buffer);
    if (n <= 0) die("the exporter did not say where it listens: " + text);
    text.append(buffer, static_cast<std::size_t>(n));
  }
  ::unlink(config);
  // Its further log lines go nowhere; the pipe is large enough for all of them.
  return pid;
}

Asker::Asker(int exporter_port, const std::string& module, const std::string& target)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      request_("GET /probe?module=" + module + "&target=" + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n") {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(exporter_port));
  if (::connect(fd_.value(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die("connect to exporter");
}

void Asker::ask() {
  if (::write(fd_.value(), request_.data(), request_.size()) < 0) die("write to exporter");
  std::string answer;
  char buffer[16384];
  std::size_t length = 0;
  while (length == 0 || answer.size() < length) {
    const ssize_t n = ::read(fd_.value(), buffer, sizeof buffer);
    if (n <= 0) die("read from exporter");
    answer.append(buffer, static_cast<std::size_t>(n));
    const std::size_t head = answer.find("\r\n\r\n");
    const std::size_t field = answer.find("Content-Length: ");
    // Chunked answers end with an empty chunk.
    if (field == std::string::npos && answer.ends_with("\r\n0\r\n\r\n")) break;
    if (length == 0 && head != std::string::npos && field < head)
      length = head + 4 + static_cast<std::size_t>(std::atol(answer.c_str() + field + 16));
  }
  if (whole(answer).find("\nprobe_success 1") == std::string::npos) die("the exporter's probe failed: " + answer);
}

}  // namespace bench
