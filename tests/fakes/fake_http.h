// An HTTP client without a network: it keeps what it was asked, and the test answers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fakes/fake_loop.h"
#include "http/http_client.h"

namespace fakes {

// Requests of one kind that wait for their answer. Dropping the Handle takes the request back.
template <typename Asked, typename Answer>
class Desk {
 public:
  explicit Desk(FakeLoop& loop) : loop_(loop) {}
  loop::Handle ask(Asked asked, std::function<void(Answer)> done) {
    struct Place final : loop::Registration {
      Place(Desk& d, int i) : desk(d), id(i) {}
      ~Place() override { desk.waiting_.erase(id); }
      Desk& desk;
      int id;
    };
    const int id = next_++;
    waiting_.emplace(id, std::move(done));
    asked_.push_back(std::move(asked));
    return loop::Handle(std::make_unique<Place>(*this, id));
  }
  const std::vector<Asked>& asked() const { return asked_; }
  const Asked& last() const { return asked_.back(); }
  std::size_t waiting() const { return waiting_.size(); }
  const Asked& oldest() const { return asked_[static_cast<std::size_t>(waiting_.begin()->first)]; }  // that waits
  // Those that wait and for which `holds`.
  std::size_t asked_where(const std::function<bool(const Asked&)>& holds) const {
    std::size_t n = 0;
    for (const auto& [id, done] : waiting_) n += holds(asked_[static_cast<std::size_t>(id)]) ? 1 : 0;
    return n;
  }
  // Answers the oldest request that waits, in a turn of its own.
  void answer(Answer answer) {
    answer_where([](const Asked&) { return true; }, std::move(answer));
  }
  // The oldest of those for which `holds`; one must be there.
  void answer_where(const std::function<bool(const Asked&)>& holds, Answer answer) {
    auto it = waiting_.begin();
    while (!holds(asked_[static_cast<std::size_t>(it->first)])) ++it;
    auto done = it->second;
    loop_.post([done, answer = std::make_shared<Answer>(std::move(answer))] { done(std::move(*answer)); });
    loop_.run_due();
  }

 private:
  FakeLoop& loop_;
  int next_ = 0;
  std::map<int, std::function<void(Answer)>> waiting_;
  std::vector<Asked> asked_;
};

struct FakeHttp final : http::HttpClient {
  explicit FakeHttp(FakeLoop& l) : desk(l) {}
  loop::Handle request(http::HttpRequest request, std::function<void(http::HttpResponse)> done) override {
    return desk.ask(std::move(request), std::move(done));
  }
  Desk<http::HttpRequest, http::HttpResponse> desk;
};

// An answer of a server, and what there is in place of one.
inline http::HttpResponse answered(int status, std::string body = "", http::Headers headers = {}) {
  http::HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  response.headers = std::move(headers);
  return response;
}
inline http::HttpResponse broken(model::Reason reason, std::string text) {
  http::HttpResponse response;
  response.reason = reason;
  response.text = std::move(text);
  return response;
}

}  // namespace fakes
