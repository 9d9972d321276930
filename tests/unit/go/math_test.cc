#include "go/math.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

bool same(double a, double b) {
  return std::isnan(a) ? std::isnan(b) : std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

}  // namespace

// The numbers are answers of Prometheus 2.42 on amd64; tests/oracle/bits_test.py asks it for many more.
TEST_CASE("functions of one number have Prometheus' last bit") {
  struct Row {
    const char* what;
    double (*function)(double);
    double x;
    double y;
  };
  for (const Row& row : {Row{"exp", go::exp, 1, 2.718281828459045},
                         Row{"exp", go::exp, 0.1, 1.1051709180756477},
                         Row{"exp", go::exp, -0.5, 0.6065306597126334},
                         Row{"exp", go::exp, 709.4, 1.2260423226426727e+308},
                         Row{"exp", go::exp, -745, 5e-324},
                         Row{"exp", go::exp, -800, 0},
                         Row{"log", go::log, 20, 2.995732273553991},
                         Row{"log", go::log, 0.7071067811865476, -0.3465735902799726},
                         Row{"log", go::log, 1e-310, -709.0850815488945},
                         Row{"log", go::log, -1, kNaN},
                         Row{"log", go::log, 0, -kInfinity},
                         Row{"log2", go::log2, 8, 3},
                         Row{"log2", go::log2, 20, 4.321928094887363},
                         Row{"log2", go::log2, 5e-324, -1074},
                         Row{"log10", go::log10, 20, 1.301029995663981},
                         Row{"log10", go::log10, 1000, 3},
                         Row{"log10", go::log10, 0.3, -0.5228787452803376},
                         Row{"sin", go::sin, 10, -0.5440211108893699},
                         Row{"sin", go::sin, -1e9, -0.5458434494486994},
                         Row{"sin", go::sin, 1e22, -0.8522008497671889},
                         Row{"sin", go::sin, 0.785398163397448, 0.7071067811865472},
                         Row{"cos", go::cos, 10, -0.8390715290764524},
                         Row{"cos", go::cos, -1e9, 0.8378871813639024},
                         Row{"cos", go::cos, 1e22, 0.5232147853951389},
                         Row{"cos", go::cos, 0.785398163397448, 0.7071067811865478},
                         Row{"tan", go::tan, 10, 0.6483608274590867},
                         Row{"tan", go::tan, -1e9, -0.6514522021451411},
                         Row{"tan", go::tan, 1e22, -1.6287782256068992},
                         Row{"tan", go::tan, 0.785398163397448, 0.9999999999999992},
                         Row{"asin", go::asin, 0.71, 0.7894982093461719},
                         Row{"asin", go::asin, -0.2, -0.20135792079033082},
                         Row{"acos", go::acos, 0.3, 1.266103672779499},
                         Row{"acos", go::acos, 2, kNaN},
                         Row{"atan", go::atan, 0.67, 0.590306746935372},
                         Row{"atan", go::atan, -3, -1.2490457723982544},
                         Row{"sinh", go::sinh, 0.3, 0.3045202934471426},
                         Row{"sinh", go::sinh, -1, -1.1752011936438014},
                         Row{"sinh", go::sinh, 30, 5343237290762.23},
                         Row{"cosh", go::cosh, 2, 3.7621956910836314},
                         Row{"tanh", go::tanh, 0.5, 0.46211715726000974},
                         Row{"tanh", go::tanh, -2, -0.9640275800758169},
                         Row{"tanh", go::tanh, 50, 1},
                         Row{"asinh", go::asinh, 1e-9, 1e-09},
                         Row{"asinh", go::asinh, 1.5, 1.1947632172871094},
                         Row{"asinh", go::asinh, -30, -4.09462222433053},
                         Row{"acosh", go::acosh, 1.5, 0.9624236501192069},
                         Row{"acosh", go::acosh, 3, 1.7627471740390859},
                         Row{"acosh", go::acosh, 1e10, 23.7189981105004},
                         Row{"atanh", go::atanh, 0.3, 0.30951960420311175},
                         Row{"atanh", go::atanh, -0.9, -1.4722194895832204},
                         Row{"atanh", go::atanh, 1, kInfinity}}) {
    CAPTURE(row.what);
    CAPTURE(row.x);
    CHECK(same(row.function(row.x), row.y));
  }
}

TEST_CASE("powers have Prometheus' last bit, and its special cases") {
  struct Row {
    double x, y, power;
  };
  for (const Row& row : {Row{2, 10, 1024}, Row{1.1, 0.3, 1.029005759421095}, Row{10, -2.25, 0.00562341325190349},
                         Row{-2, 3, -8}, Row{-2, 0.5, kNaN}, Row{0, -1, kInfinity}, Row{1.0000001, 1e10, kInfinity},
                         Row{2, -1074.5, 5e-324}, Row{-8, 1e300, kInfinity}, Row{3, 64, 3.4336838202925124e+30}}) {
    CAPTURE(row.x);
    CAPTURE(row.y);
    CHECK(same(go::pow(row.x, row.y), row.power));
  }
}

TEST_CASE("NaN wins over numbers and loses to the infinity that no number beats") {
  struct Row {
    double a, b, smaller, larger;
  };
  for (const Row& row : {Row{1, 2, 1, 2}, Row{kNaN, 2, kNaN, kNaN}, Row{kNaN, kInfinity, kNaN, kInfinity},
                         Row{-kInfinity, kNaN, -kInfinity, kNaN}, Row{0.0, -0.0, -0.0, 0.0}}) {
    CAPTURE(row.a);
    CAPTURE(row.b);
    CHECK(same(go::min(row.a, row.b), row.smaller));
    CHECK(same(go::min(row.b, row.a), row.smaller));
    CHECK(same(go::max(row.a, row.b), row.larger));
    CHECK(same(go::max(row.b, row.a), row.larger));
  }
}
