#include "app/questions.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "fakes/waiting_loop.h"

namespace {

using namespace std::chrono_literals;
using Told = std::function<void(base::Result<int>)>;

}  // namespace

TEST_CASE("a question is answered by the loop") {
  fakes::WaitingLoop loop;
  app::Questions questions(loop);
  base::Result<int> answer = 0;
  std::thread worker([&] { answer = questions.ask<int>([](const Told& done) { done(7); }); });
  CHECK(loop.run_one());
  worker.join();
  CHECK(answer.value() == 7);
}

TEST_CASE("when the loop has ended, all who wait are told so at once, begun or not, and so is who asks later") {
  constexpr int kWorkers = 8;
  fakes::WaitingLoop loop;
  app::Questions questions(loop);
  std::vector<base::Result<int>> answers(kWorkers, 0);
  std::vector<Told> begun;
  std::vector<std::thread> workers;
  for (int i = 0; i < kWorkers; ++i)
    workers.emplace_back([&, i] {
      answers[static_cast<std::size_t>(i)] =
          questions.ask<int>([&](const Told& done) { begun.push_back(done); }, std::chrono::hours{1});
    });
  for (int i = 0; i < kWorkers / 2; ++i) CHECK(loop.run_one());
  questions.close();
  for (std::thread& worker : workers) worker.join();
  for (const auto& answer : answers) {
    REQUIRE(!answer);
    CHECK(answer.error().kind == base::Kind::unavailable);
    CHECK(answer.error().text == "the agent is stopping; try again when it is back");
  }
  for (const Told& done : begun) done(7);  // what comes after the end goes nowhere
  CHECK(begun.size() == kWorkers / 2);
  const auto late = questions.ask<int>([](const Told& done) { done(7); }, std::chrono::hours{1});
  REQUIRE(!late);
  CHECK(late.error().kind == base::Kind::unavailable);
}

TEST_CASE("a worker without patience leaves; what the loop had not begun by then is not done") {
  fakes::WaitingLoop loop;
  app::Questions questions(loop);
  bool done = false;
  const auto answer = questions.ask<void>(
      [&](const std::function<void(base::Result<>)>& told) {
        done = true;
        told({});
      },
      1ms);
  REQUIRE(!answer);
  CHECK(answer.error().text == "the agent did not answer within 1ms: its loop is busy; try again");
  loop.run_posted();
  CHECK(!done);
}

TEST_CASE("an answer that comes when its worker has left, or comes twice, goes nowhere") {
  fakes::WaitingLoop loop;
  app::Questions questions(loop);
  Told told;
  base::Result<int> answer = 0;
  std::thread worker([&] { answer = questions.ask<int>([&](const Told& done) { told = done; }, 50ms); });
  CHECK(loop.run_one());
  worker.join();
  CHECK(!answer);
  told(7);
  told(8);
  questions.close();
}
