#include "notify/silences.h"

#include <doctest/doctest.h>

#include "fakes/fake_loop.h"
#include "fakes/fake_state.h"
#include "model/matcher_text.h"

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const model::Labels kOrder{{"alertname", "Down"}, {"service", "order"}};

struct Fixture {
  fakes::FakeLoop loop;
  fakes::FakeState state{loop};
  int changes = 0;
  std::unique_ptr<notify::Silences> silences;

  Fixture() { start(); }
  void start() {
    silences.reset();
    silences = std::make_unique<notify::Silences>(state, loop, 7);
    silences->on_change([this] { ++changes; });
  }
  static model::SilenceRequest request(const std::string& matchers) {
    model::SilenceRequest out;
    out.matchers = *model::parse_matchers(matchers);
    out.author = "alice";
    out.comment = "INC-7";
    return out;
  }
  base::Result<std::string> add(const model::SilenceRequest& request) {
    base::Result<std::string> got = base::fail(base::Kind::timeout, "no answer");
    silences->add(request, [&](base::Result<std::string> id) { got = std::move(id); });
    loop.run_due();
    return got;
  }
  base::Result<> expire(const std::string& id) {
    base::Result<> got = base::fail(base::Kind::timeout, "no answer");
    silences->expire(id, [&](base::Result<> done) { got = std::move(done); });
    loop.run_due();
    return got;
  }
  bool silenced() const { return !silences->of(kOrder).empty(); }
};

}  // namespace

TEST_CASE("a request for a silence, or what is wrong with it") {
  const base::WallTime now = base::wall_from_ms(1'700'000'000'000);
  struct Row {
    std::string name;
    std::function<void(model::SilenceRequest&)> change;
    std::string want;  // "START END" in seconds from now, or the complaint
  };
  const Row rows[] = {
      {"an hour from now", [](auto&) {}, "0 3600"},
      {"a duration", [](auto& r) { r.length = minutes{5}; }, "0 300"},
      {"a start and a duration",
       [=](auto& r) {
         r.starts_at = now + minutes{10};
         r.length = minutes{5};
       },
       "600 900"},
      {"an end", [=](auto& r) { r.ends_at = now + minutes{1}; }, "0 60"},
      {"a start that is past counts for the end, and begins now",
       [=](auto& r) {
         r.starts_at = now - minutes{10};
         r.length = minutes{15};
       },
       "0 300"},
      {"no matcher", [](auto& r) { r.matchers.clear(); }, "a silence needs a matcher, such as service=order"},
      {"all empty", [](auto& r) { r.matchers = *model::parse_matchers("a=~\".*\",b!=x"); },
       "at least one matcher must not match the empty string: this silence would match every alert; to silence all of "
       "them say alertname=~\".+\""},
      {"no comment", [](auto& r) { r.comment = ""; }, "a silence needs a comment: why, for the others"},
      {"no length", [](auto& r) { r.length = base::Millis{0}; }, "the duration must be longer than 0"},
      {"a long comment", [](auto& r) { r.comment = std::string(4092, 'x'); },
       "author and comment are longer than 4096 bytes together"},
      {"a past end", [=](auto& r) { r.ends_at = now - seconds{13}; },
       "the silence would end at 2023-11-14T22:13:07Z, which is past"},
      {"an end before the start",
       [=](auto& r) {
         r.starts_at = now + seconds{20};
         r.ends_at = now + seconds{10};
       },
       "the silence would end at 2023-11-14T22:13:30Z, before it starts at 2023-11-14T22:13:40Z"},
      {"many matchers", [](auto& r) { r.matchers.assign(65, model::Matcher::equal("a", "b")); },
       "a silence has at most 64 matchers"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    model::SilenceRequest request = Fixture::request("service=order");
    row.change(request);
    const auto got = notify::make_silence(request, now);
    const auto from_now = [&](base::WallTime t) {
      return std::to_string(std::chrono::duration_cast<seconds>(t - now).count());
    };
    CHECK((got ? from_now(got->starts_at) + " " + from_now(got->ends_at) : got.error().text) == row.want);
  }
}

TEST_CASE("a silence holds once it is durable, until its end, and that is said both times") {
  Fixture f;
  f.state.held = true;
  bool answered = false;
  f.silences->add(Fixture::request("service=order"), [&](const auto& id) { answered = id.has_value(); });
  f.loop.run_due();
  CHECK_FALSE(answered);
  CHECK_FALSE(f.silenced());
  f.state.held = false;
  f.state.sync();
  f.loop.run_due();
  CHECK(answered);
  CHECK(f.silenced());
  CHECK(f.changes == 1);
  CHECK(f.silences->of(model::Labels{{"alertname", "Down"}, {"service", "payment"}}).empty());
  f.loop.advance(minutes{59});
  CHECK(f.silenced());
  CHECK(f.changes == 1);
  f.loop.advance(minutes{1});
  CHECK_FALSE(f.silenced());
  CHECK(f.changes == 2);
}

TEST_CASE("a silence to come begins at its time") {
  Fixture f;
  model::SilenceRequest request = Fixture::request("Down");
  request.starts_at = f.loop.wall_now() + minutes{5};
  request.length = minutes{1};
  REQUIRE(f.add(request));
  CHECK_FALSE(f.silenced());
  CHECK(f.silences->list()[0].state(f.loop.wall_now()) == model::SilenceState::pending);
  CHECK(f.changes == 0);
  f.loop.advance(minutes{5});
  CHECK(f.silenced());
  CHECK(f.changes == 1);
  f.loop.advance(minutes{1});
  CHECK_FALSE(f.silenced());
  CHECK(f.changes == 2);
}

TEST_CASE("a silence that is expired ends at once, is shown for five days and then forgotten") {
  Fixture f;
  const auto id = f.add(Fixture::request("service=order"));
  REQUIRE(id);
  f.loop.advance(minutes{1});
  CHECK(f.expire(*id));
  CHECK_FALSE(f.silenced());
  CHECK(f.changes == 2);
  CHECK(f.expire(*id).error().text == "silence " + *id + " already expired");
  CHECK(f.expire("x").error().text == "there is no silence x");
  REQUIRE(f.silences->list().size() == 1);
  CHECK(f.silences->list()[0].ends_at == f.loop.wall_now());
  f.loop.advance(hours{120} - minutes{2});
  CHECK(f.silences->list().size() == 1);
  f.loop.advance(minutes{3});
  CHECK(f.silences->list().empty());
  CHECK(f.state.durable().at(state::Table::silences).empty());
}

TEST_CASE("a silence of any kind is the same after a restart") {
  Fixture f;
  REQUIRE(f.add(Fixture::request("a=\"q\\\"\\n\",b!=x,c=~\"y|z\",d!~w")));
  const model::Silence before = f.silences->list()[0];
  f.start();
  REQUIRE(f.silences->list().size() == 1);
  const model::Silence after = f.silences->list()[0];
  CHECK(after.id == before.id);
  CHECK(model::to_string(after.matchers) == "a=\"q\\\"\\n\", b!=\"x\", c=~\"y|z\", d!~\"w\"");
  CHECK(after.author == "alice");
  CHECK(after.comment == "INC-7");
  CHECK(after.starts_at == before.starts_at);
  CHECK(after.ends_at == before.ends_at);
  CHECK(after.updated_at == before.updated_at);
  f.loop.advance(hours{1});
  CHECK(f.changes == 2);  // begun, and ended after the restart
}

TEST_CASE("a silence may end by health, once its service has been up for long enough since it began") {
  Fixture f;
  model::SilenceRequest request;
  request.matchers = *model::parse_matchers("service=order");
  request.comment = "upgrade";
  request.length = hours{24};
  request.until_healthy = minutes{10};
  std::string id;
  f.silences->add(request, [&](base::Result<std::string> made) { id = *made; });
  f.loop.run_due();
  REQUIRE(f.silences->list().size() == 1);
  std::optional<base::WallTime> up_since = f.loop.wall_now() - hours{5};
  const auto look = [&] {
    f.silences->end_where_healthy([&](const std::string& service) {
      CHECK(service == "order");
      return up_since;
    });
    f.loop.run_due();
    return f.silences->list()[0].state(f.loop.wall_now()) == model::SilenceState::active;
  };
  CHECK(look());
  f.loop.advance(minutes{9});
  CHECK(look());
  up_since.reset();
  f.loop.advance(minutes{9});
  CHECK(look());
  up_since = f.loop.wall_now();
  f.loop.advance(minutes{10} - std::chrono::milliseconds{1});
  CHECK(look());
  CHECK(notify::parse_silence(notify::to_json(f.silences->list()[0]))->until_healthy == minutes{10});
  f.loop.advance(std::chrono::milliseconds{1});
  CHECK_FALSE(look());

  request.matchers = *model::parse_matchers("service=~order.*");
  const auto refused = notify::make_silence(request, f.loop.wall_now());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text ==
        "a silence that ends when a service is healthy needs a matcher that names it, such as service=order");
}

TEST_CASE("a silence that health ends is written once, however long the disk takes") {
  Fixture f;
  model::SilenceRequest request = Fixture::request("service=order");
  request.until_healthy = minutes{10};
  REQUIRE(f.add(request));
  f.loop.advance(minutes{10});
  const int before = f.state.commits;
  const auto look = [&] {
    f.silences->end_where_healthy([&](const std::string&) { return f.loop.wall_now() - hours{1}; });
  };
  f.state.held = true;
  for (int second = 0; second < 5; ++second) look();
  f.state.failing = true;
  f.state.sync();  // it did not take it
  look();
  look();
  f.state.failing = false;
  f.state.sync();
  look();
  f.state.sync();
  CHECK(f.state.commits == before + 1);
  CHECK_FALSE(f.silenced());
}

TEST_CASE("a silence that could not be made durable does not hold, and says so") {
  Fixture f;
  f.state.failing = true;
  const auto id = f.add(Fixture::request("service=order"));
  REQUIRE_FALSE(id);
  CHECK(id.error().text == "no space left on device");
  CHECK_FALSE(f.silenced());
  CHECK(f.silences->list().empty());
}

TEST_CASE("ids have the form of a UUID and differ") {
  Fixture f;
  const auto one = f.add(Fixture::request("a=b")), two = f.add(Fixture::request("a=b"));
  REQUIRE((one && two));
  CHECK(*one != *two);
  for (const auto& id : {*one, *two}) {
    CAPTURE(id);
    CHECK(id.size() == 36);
    for (const std::size_t dash : {8, 13, 18, 23}) CHECK(id[dash] == '-');
    CHECK(id[14] == '4');
  }
}
