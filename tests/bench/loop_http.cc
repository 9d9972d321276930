// CPU time of the loop's thread per HTTP request with a new connection each, as a probe makes them: loop_http [COUNT]
// [PARALLEL]. The server's threads are not counted. blackbox_exporter needs about 1,400 µs for the same.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "fakes/tcp_peer.h"
#include "http/http_client.h"
#include "loop/event_loop.h"
#include "net/resolver.h"

namespace {

double thread_cpu_us() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 5000;
  const std::size_t parallel = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1;
  fakes::TcpPeer peer([](fakes::PeerSocket& socket) {
    socket.read_request();
    socket.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n");
    socket.wait_for_close();
  });
  loop::EventLoop loop;
  net::AresResolver resolver(loop);
  http::CurlHttpClient http(loop, resolver);
  int started = 0, ended = 0, good = 0;
  std::vector<loop::Handle> handles(parallel);
  std::function<void(std::size_t)> next = [&](std::size_t place) {
    if (started == count) return;
    ++started;
    handles[place] = http.request({.url = peer.url("/healthz"), .deadline = loop.now() + std::chrono::seconds{2}},
                                  [&, place](http::HttpResponse response) {
                                    good += response.reason == model::Reason::none;
                                    if (++ended == count) return loop.stop();
                                    next(place);
                                  });
  };
  const double before = thread_cpu_us();
  for (std::size_t place = 0; place < parallel; ++place) next(place);
  loop.run();
  std::printf("%d requests, %d good, %.1f us CPU each\n", ended, good, (thread_cpu_us() - before) / ended);
  return good == count ? 0 : 1;
}
