// Servers of one line without sockets: a test connects by asking.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "net/agent_check_server.h"

namespace fakes {

struct FakeAgentChecks final : net::AgentCheckServer {
  base::Result<loop::Handle> serve(const std::string& address,
                                   std::function<std::string(const std::string& peer)> line) override {
    struct Place final : loop::Registration {
      Place(FakeAgentChecks& l, std::string a) : agent_checks(l), address(std::move(a)) {}
      ~Place() override { agent_checks.open.erase(address); }
      FakeAgentChecks& agent_checks;
      std::string address;
    };
    if (open.contains(address)) return base::fail(base::Kind::io, "cannot listen at " + address + ": in use");
    open.emplace(address, std::move(line));
    return loop::Handle(std::make_unique<Place>(*this, address));
  }
  std::string ask(const std::string& address, const std::string& peer = "10.0.0.100") {
    const auto found = open.find(address);
    return found == open.end() ? "refused" : found->second(peer);
  }

  std::map<std::string, std::function<std::string(const std::string&)>> open;
};

}  // namespace fakes
