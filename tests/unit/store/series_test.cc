#include "store/series.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"

namespace {

using model::Sample;

bool same(const std::vector<Sample>& a, const std::vector<Sample>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Sample& x, const Sample& y) {
    return x.t == y.t && std::bit_cast<std::uint64_t>(x.v) == std::bit_cast<std::uint64_t>(y.v);
  });
}

// Goes on as it was for a while, then differently: rows and what is none, in every order.
class Values {
 public:
  double next() {
    if (left_-- == 0) {
      left_ = static_cast<int>(random_.below(6));
      kind_ = static_cast<int>(random_.below(7));
    }
    switch (kind_) {
      case 0: return value_;
      case 1: return value_ = std::floor(value_) + 1;
      case 2: return value_ = static_cast<double>(random_.below(1000)) / 1000;
      case 3: return model::stale_marker();
      case 4: return std::numeric_limits<double>::quiet_NaN();
      case 5: return -0.0;
      default: return value_ = random_.unit();
    }
  }
  std::int64_t step() { return random_.below(4) == 0 ? 2 + static_cast<std::int64_t>(random_.below(9000)) : 5000; }

 private:
  base::Random random_{7};
  double value_ = 1;
  int left_ = 0, kind_ = 0;
};

}  // namespace

TEST_CASE("what a series is asked about now and about before is what went in, whatever it did in between") {
  constexpr std::int64_t kEver = std::numeric_limits<std::int64_t>::max();
  Values values;
  store::Series series{{{"a", "1"}}};
  std::vector<Sample> all;
  std::int64_t t = 1'700'000'000'000;
  for (int n = 0; n < 3000; ++n) {
    t += values.step();
    const Sample sample{t, values.next()};
    series.append(sample, 60'000);
    all.push_back(sample);
    if (n % 17 == 0) series.replace_newest(all.back().v = values.next());
    REQUIRE(same({series.newest()}, {all.back()}));
    // From each of the last samples on, and just behind it; and the newest until then.
    for (std::size_t i = all.size() - std::min<std::size_t>(all.size(), 40); i < all.size(); ++i)
      for (const std::int64_t from : {all[i].t, all[i].t + 1}) {
        std::vector<Sample> found;
        series.read(from, kEver, found);
        const auto first = all.begin() + static_cast<std::ptrdiff_t>(i) + (from > all[i].t ? 1 : 0);
        REQUIRE(same(found, {first, all.end()}));
        Sample last;
        REQUIRE(series.last_at(0, from, last));
        REQUIRE(same({last}, {all[i]}));
        REQUIRE_FALSE(series.last_at(from + 1, from, last));
      }
  }
  std::vector<Sample> found;
  series.read(0, kEver, found);
  CHECK(same(found, all));
}

TEST_CASE("a series that stays as it is, or counts evenly, takes no more after hours than after a minute") {
  for (const double rise : {0.0, 1.0}) {
    CAPTURE(rise);
    store::Series series{{{"a", "1"}}};
    double value = 3;
    std::int64_t t = 1'700'000'000'000;
    for (int n = 0; n < 12; ++n) series.append({t += 5000, value += rise}, 900'000);
    const std::size_t after_a_minute = series.bytes();
    for (int n = 0; n < 1440; ++n) series.append({t += 5000, value += rise}, 900'000);
    CHECK(series.bytes() == after_a_minute);
    CHECK(after_a_minute <= 96);
    CHECK(series.newest().v == value);
    CHECK(series.samples() == 1452);
  }
}
