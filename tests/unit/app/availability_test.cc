// How long services were up and down, by days: over midnight, starts, maintenance, and 90 days.
#include "app/availability.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "fakes/fake_loop.h"
#include "fakes/fake_state.h"

namespace {

using app::Availability;
using model::Health;
using std::chrono::hours;
using std::chrono::minutes;

constexpr std::int64_t kHour = 3'600'000;

struct Site {
  // 2023-11-14, 22:13:20
  fakes::FakeLoop loop;
  fakes::FakeState state{loop};
  bool maintenance = false;
  std::unique_ptr<Availability> availability;

  Site() { start(); }
  void start() {
    availability.reset();
    availability = std::make_unique<Availability>(state, loop, [this](const std::string&) { return maintenance; });
  }
  model::ServiceAvailability order() {
    const auto all = availability->services();
    REQUIRE(all.size() == 1);
    return all[0];
  }
};

}  // namespace

TEST_CASE("time with a verdict counts, time without one does not, and planned time stands by itself") {
  Site site;
  site.loop.advance(minutes{10});
  CHECK(site.availability->services().empty());
  site.availability->on_health("order", Health::up);
  site.loop.advance(minutes{30});
  site.availability->on_health("order", Health::down);
  site.loop.advance(minutes{10});
  site.availability->on_health("order", Health::unknown);
  site.loop.advance(minutes{10});
  site.maintenance = true;
  site.availability->on_health("order", Health::down);
  site.loop.advance(minutes{5});
  const model::AvailabilitySpan today = site.order().today;
  CHECK(today.number == 19'675);
  CHECK(today.up == kHour / 2);
  CHECK(today.down == kHour / 6);
  CHECK(today.planned == kHour / 12);
  CHECK(*today.ratio() == doctest::Approx(0.75));
}

TEST_CASE("a day ends at midnight of UTC, to the minute, and 90 days are kept") {
  Site site;
  site.availability->on_health("order", Health::up);
  site.loop.advance(hours{24});
  model::ServiceAvailability order = site.order();
  REQUIRE(order.before->size() == 1);
  CHECK(order.before->front().number == 19'675);
  CHECK(order.before->front().up >= 6'400'000 - 60'000);
  CHECK(order.before->front().up <= 6'400'000);
  CHECK(order.before->front().up + order.today.up == 24 * kHour);
  site.loop.advance(hours{24 * 100});
  order = site.order();
  CHECK(order.before->size() == 89);
  CHECK(order.before->back().up == 24 * kHour);
  CHECK(order.before->back().number + 1 == order.today.number);
}

TEST_CASE("the last 24 hours are kept by hours, over a start") {
  Site site;
  site.availability->on_health("order", Health::up);
  site.loop.advance(hours{30});
  site.availability->on_health("order", Health::down);
  site.loop.advance(minutes{10});
  site.start();
  const model::ServiceAvailability order = site.order();
  REQUIRE(order.hours_before->size() == 23);
  CHECK(order.hours_before->back().up == kHour);
  CHECK(order.hours_before->back().number + 1 == order.this_hour.number);
  CHECK(order.this_hour.down == kHour / 6);
}

TEST_CASE("a crash loses a minute at most, and the day goes on") {
  Site site;
  site.availability->on_health("order", Health::up);
  site.loop.advance(hours{1} + minutes{1} - std::chrono::seconds{1});
  site.start();
  CHECK(site.order().today.up == kHour);
  site.availability->on_health("order", Health::down);
  site.loop.advance(minutes{6});
  CHECK(site.order().today.up == kHour);
  CHECK(site.order().today.down == kHour / 10);
  site.loop.advance(hours{24});
  site.start();
  CHECK(site.order().before->size() == 1);
}

TEST_CASE("what a full disk did not take is written when it takes again") {
  Site site;
  site.availability->on_health("order", Health::up);
  site.loop.advance(hours{1});
  site.state.failing = true;
  site.availability->on_health("order", Health::unknown);
  site.loop.advance(hours{24});
  site.state.failing = false;
  site.loop.advance(minutes{2});
  site.start();
  REQUIRE(site.order().before->size() == 1);
  CHECK(site.order().before->front().up == kHour);
}

TEST_CASE("a service that is not configured any more is forgotten after 90 days") {
  Site site;
  site.availability->on_health("order", Health::up);
  site.loop.advance(hours{1});
  site.availability->on_health("order", Health::unknown);
  site.loop.advance(hours{24 * 89});
  CHECK(site.order().before->size() == 1);
  site.loop.advance(hours{24 * 3});
  CHECK(site.availability->services().empty());
  CHECK(site.state.read(state::Table::availability).empty());
}

TEST_CASE("a clock that is set back a day goes on with that day") {
  Site site;
  site.availability->on_health("order", Health::up);
  site.loop.advance(hours{3});
  site.loop.jump_wall(std::chrono::duration_cast<base::Millis>(-hours{24}));
  site.loop.advance(minutes{1});
  CHECK(site.order().before->empty());
  CHECK(site.order().today.number == 19'675);
  CHECK(site.order().today.up <= 3 * kHour + 60'000);
}

TEST_CASE("a clock that was not set yet takes nothing away") {
  Site site;
  site.availability->on_health("order", Health::up);
  site.loop.advance(hours{72});
  const auto before = site.order();
  site.loop.jump_wall(-std::chrono::duration_cast<base::Millis>(site.loop.wall_now().time_since_epoch()));
  site.start();
  site.availability->on_health("order", Health::up);
  site.loop.advance(hours{1});
  REQUIRE(site.order().before->size() == before.before->size());
  CHECK(site.order().before->back().up == 24 * kHour);
  CHECK(site.order().today.number == before.today.number);
}
