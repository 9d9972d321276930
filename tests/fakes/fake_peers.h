// A network of agents that ask each other what they do, without sockets: each shows something at its URL. Links may be
// cut, and slow.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "fakes/fake_loop.h"
#include "http/http_client.h"

namespace fakes {

struct PeerNetwork {
  explicit PeerNetwork(FakeLoop& l) : loop(l) {}

  static std::string url(const std::string& node) { return "http://" + node + ":10911"; }
  void cut(const std::string& a, const std::string& b) { gone.insert({a, b}), gone.insert({b, a}); }
  void heal() { gone.clear(); }

  FakeLoop& loop;
  // By node: what it answers, nothing for an agent that stands still. One that is not here refuses connections.
  std::map<std::string, std::function<std::optional<std::string>()>> shown;
  std::set<std::pair<std::string, std::string>> gone;  // what the first sends to the second is lost
  std::function<base::Duration()> delay = [] { return std::chrono::milliseconds{2}; };  // of each way
  int requests = 0;
};

class PeerHttp final : public http::HttpClient {
 public:
  // Answers come to the loop of the agent that asks.
  PeerHttp(PeerNetwork& network, loop::Scheduler& own, std::string node)
      : network_(network), own_(own), node_(std::move(node)) {}

  loop::Handle request(http::HttpRequest request, std::function<void(http::HttpResponse)> done) override {
    struct Way final : loop::Registration {
      loop::Handle timer, limit;
    };
    ++network_.requests;
    auto way = std::make_unique<Way>();
    Way* at = way.get();
    const auto fail = [done](model::Reason reason, const std::string& text) {
      http::HttpResponse response;
      response.reason = reason;
      response.text = text;
      done(response);
    };
    at->limit = own_.at(request.deadline, [fail] { fail(model::Reason::read_timeout, "no answer in time"); });
    std::string to = request.url.substr(7);
    to = to.substr(0, to.find(':'));
    if (network_.gone.contains({node_, to})) return loop::Handle(std::move(way));
    at->timer = network_.loop.after(network_.delay(), [this, at, to, done, fail] {
      const auto found = network_.shown.find(to);
      const bool is_there = found != network_.shown.end();
      const auto answer = is_there ? found->second() : std::nullopt;
      if (is_there && !answer) return;
      at->limit.reset();
      if (!is_there) return fail(model::Reason::refused, "connection refused");
      http::HttpResponse response;
      response.status = 200;
      response.body = R"({"status":"success","data":)" + *answer + "}";
      at->timer = own_.after(network_.delay(), [response, done] { done(response); });
    });
    return loop::Handle(std::move(way));
  }

 private:
  PeerNetwork& network_;
  loop::Scheduler& own_;
  std::string node_;
};

}  // namespace fakes
