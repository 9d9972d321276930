// A Context for a run whose target came from outside (a request, a target list): whatever it connects to, by whatever
// protocol, is within a boundary. What the module itself names (a proxy, where tokens are given out) is the
// configuration's and free.
#pragma once

#include <memory>

#include "http/http_client.h"
#include "net/boundary.h"
#include "net/stream.h"
#include "probe/probe.h"

namespace probe {

class Bounded {
 public:
  // `context` must live as long. A null boundary bounds nothing.
  Bounded(const Context& context, std::shared_ptr<const net::Boundary> boundary)
      : dialer_(context.dialer, boundary),
        http_(context.http, boundary),
        context_{context.scheduler,    http_,        dialer_,         context.resolver,
                 context.spawner,      context.pids, context.systemd, context.heartbeats,
                 context.blocking_pool} {}
  Bounded(const Bounded&) = delete;
  Bounded& operator=(const Bounded&) = delete;
  const Context& context() const { return context_; }

 private:
  class Dialer final : public net::Dialer {
   public:
    Dialer(net::Dialer& dialer, std::shared_ptr<const net::Boundary> boundary)
        : dialer_(dialer), boundary_(std::move(boundary)) {}
    loop::Handle connect(net::Dial dial, std::function<void(net::Connected)> done) override {
      dial.boundary = boundary_;
      return dialer_.connect(std::move(dial), std::move(done));
    }
    loop::Handle ping(net::Ping ping, std::function<void(net::Pinged)> done) override {
      ping.boundary = boundary_;
      return dialer_.ping(std::move(ping), std::move(done));
    }

   private:
    net::Dialer& dialer_;
    std::shared_ptr<const net::Boundary> boundary_;
  };
  class Http final : public http::HttpClient {
   public:
    Http(http::HttpClient& http, std::shared_ptr<const net::Boundary> boundary)
        : http_(http), boundary_(std::move(boundary)) {}
    loop::Handle request(http::HttpRequest request, std::function<void(http::HttpResponse)> done) override {
      if (!request.names_own_host) request.boundary = boundary_;
      return http_.request(std::move(request), std::move(done));
    }

   private:
    http::HttpClient& http_;
    std::shared_ptr<const net::Boundary> boundary_;
  };

  Dialer dialer_;
  Http http_;
  Context context_;
};

}  // namespace probe
