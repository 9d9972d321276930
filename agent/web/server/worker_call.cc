#include "web/server/worker_call.h"

#include <array>
#include <utility>

namespace web {
namespace {

constexpr std::size_t kPart = 64 * 1024;
constexpr int kPartsPerTurn = 4;  // then the others

}  // namespace

WorkerCall::WorkerCall(loop::EventLoop& loop, base::UniqueFd fd, std::string request,
                       std::function<void(std::string_view)> answer, std::function<void()> ended)
    : wire_(std::make_unique<net::Wire>(loop, std::move(fd), nullptr, [this] { go_on(); })),
      request_(std::move(request)),
      answer_(std::move(answer)),
      ended_(std::move(ended)) {}

void WorkerCall::hold(bool wait) {
  waits_ = wait;
  wire_->watch({.read = !waits_ || forgotten_, .write = sent_ < request_.size()});
}

void WorkerCall::go_on() {
  bool broken = false;
  while (!broken && sent_ < request_.size()) {
    const net::Wire::Moved moved = wire_->write(std::string_view(request_).substr(sent_));
    if (moved.step == net::Wire::Step::again) break;
    sent_ += moved.size;
    broken = moved.step == net::Wire::Step::failed;  // what it answered before is still to be read
  }
  if (broken) sent_ = request_.size();
  std::array<char, kPart> part;
  for (int parts = 0; parts < kPartsPerTurn && (!waits_ || forgotten_); ++parts) {
    const net::Wire::Moved moved = wire_->read(part.data(), part.size());
    if (moved.step == net::Wire::Step::again) break;
    if (moved.step != net::Wire::Step::done) {
      wire_->watch({});
      const auto ended = std::move(ended_);
      return ended();
    }
    if (!forgotten_) answer_({part.data(), moved.size});
  }
  hold(waits_);
}

}  // namespace web
