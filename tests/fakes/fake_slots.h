// Slots whose answers a test gives when it wants to.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "recover/plan/slots.h"

namespace fakes {

class FakeSlots final : public recover::Slots {
 public:
  using Answer = recover::SlotAnswer::Kind;

  loop::Handle acquire(const recover::SlotRequest& request, std::function<void(recover::SlotAnswer)> done,
                       std::function<void(recover::Guard)> lost) override {
    told.push_back("acquire " + request.service);
    requests.push_back(request);
    asked_[request.service] = {++last_, std::move(done), std::move(lost)};
    return loop::Handle(std::make_unique<Handed>(*this, request.service, last_));
  }
  void release(const std::string& service) override { told.push_back("release " + service); }
  std::vector<recover::Guard> seen(const std::string&) const override { return guards; }
  void on_free(std::function<void()> then) override { free = std::move(then); }

  void answer(const std::string& service, Answer kind, std::uint64_t fence = 0) {
    const recover::Guard guard{recover::GuardName::node_busy, kind == Answer::yes,
                               kind == Answer::unknown ? "the store does not answer" : "node2 has it"};
    const auto found = asked_.find(service);
    if (found == asked_.end()) return;
    const auto done = found->second.done;  // it may be dropped from inside
    done({kind, guard, fence});
  }
  void lose(const std::string& service) {
    const auto found = asked_.find(service);
    if (found == asked_.end()) return;
    const auto lost = found->second.lost;
    lost({recover::GuardName::node_busy, false, "its session ended"});
  }
  // Somebody waits for an answer, or would hear of a loss.
  bool listens(const std::string& service) const { return asked_.contains(service); }

  std::vector<std::string> told;
  std::vector<recover::SlotRequest> requests;
  std::vector<recover::Guard> guards{{recover::GuardName::node_busy, true, "0 of 1 places taken"}};
  std::function<void()> free;

 private:
  struct Asked {
    int number = 0;
    std::function<void(recover::SlotAnswer)> done;
    std::function<void(recover::Guard)> lost;
  };
  struct Handed final : loop::Registration {
    Handed(FakeSlots& slots, std::string name, int n) : owner(slots), service(std::move(name)), number(n) {}
    ~Handed() override {
      const auto found = owner.asked_.find(service);
      if (found != owner.asked_.end() && found->second.number == number) owner.asked_.erase(found);
    }
    FakeSlots& owner;
    std::string service;
    int number;
  };

  std::map<std::string, Asked> asked_;
  int last_ = 0;
};

}  // namespace fakes
