// Exponentials and logarithms, and what is made of them.
#include "go/math.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "go/polynomial.h"

namespace go {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

constexpr std::uint64_t kMantissa = (std::uint64_t{1} << 52) - 1;
constexpr std::uint64_t kOne = 0x3ff0'0000'0000'0000;   // the bits of 1.0
constexpr std::uint64_t kHalf = 0x3fe0'0000'0000'0000;  // and of 0.5

// ln 2 in two parts: multiples of the first are exact.
constexpr double kLn2High = 6.93147180369123816490e-01;
constexpr double kLn2Low = 1.90821492927058770002e-10;

// (log(1+s) - log(1-s) - 2s) / s as a polynomial of s².
constexpr double kLog1 = 6.666666666666735130e-01;
constexpr double kLog2 = 3.999999999940941908e-01;
constexpr double kLog3 = 2.857142874366239149e-01;
constexpr double kLog4 = 2.222219843214978396e-01;
constexpr double kLog5 = 1.818357216161805012e-01;
constexpr double kLog6 = 1.531383769920937332e-01;
constexpr double kLog7 = 1.479819860511658591e-01;

bool has_fused_multiply_add() {
#if defined(__x86_64__)
  static const bool has = __builtin_cpu_supports("avx") && __builtin_cpu_supports("fma");
  return has;
#else
  return false;
#endif
}

struct Separate {
  static double multiply_add(double a, double b, double c) { return a * b + c; }
};
struct Fused {
  static double multiply_add(double a, double b, double c) { return std::fma(a, b, c); }
};

// e^x of a reduced argument: the series of e^(x/16) - 1, doubled four times by (1+y)² - 1 = y(y+2).
template <typename Rounding>
double exp_reduced(double x, double powers_of_two) {
  constexpr double kLn2Upper = 0.69314718055966295651160180568695068359375;
  constexpr double kLn2Lower = 0.28235290563031577122588448175013436025525412068e-12;
  constexpr double kInverseFactorials[] = {1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1};
  x = Rounding::multiply_add(-powers_of_two, kLn2Upper, x);
  x = Rounding::multiply_add(-powers_of_two, kLn2Lower, x);
  x *= 0.0625;
  double sum = kInverseFactorials[0];
  for (int i = 1; i < 8; ++i) sum = Rounding::multiply_add(sum, x, kInverseFactorials[i]);
  double y = x * sum;
  for (int i = 0; i < 3; ++i) y *= y + 2;
  return Rounding::multiply_add(y + 2, y, 1);
}

// What e_log.c calls R, in the order in which log() adds: the odd coefficients and the even ones apart.
double log_rest(double s) {
  const double s2 = s * s;
  const double s4 = s2 * s2;
  const double odd = s2 * polynomial(s4, {kLog7, kLog5, kLog3, kLog1});
  const double even = s4 * polynomial(s4, {kLog6, kLog4, kLog2});
  return odd + even;
}

// The sign of zero stays, unlike with std::abs.
double unsigned_unless_zero(double x) { return x < 0 ? -x : x; }

}  // namespace

double exp(double x) {
  if (std::isnan(x) || x == kInfinity) return x;
  if (x == -kInfinity) return 0;
  if (x > 7.09782712893384e+02) return kInfinity;
  const double quotient = x * std::numbers::log2e;
  if (quotient < -2000) return 0;
  const double powers_of_two = std::nearbyint(quotient);
  const double y =
      has_fused_multiply_add() ? exp_reduced<Fused>(x, powers_of_two) : exp_reduced<Separate>(x, powers_of_two);
  const int exponent = static_cast<int>(powers_of_two) + 1023;
  if (exponent >= 2047) return kInfinity;
  if (exponent < -52) return 0;
  const auto power = [](int biased) { return std::bit_cast<double>(static_cast<std::uint64_t>(biased) << 52); };
  return exponent > 0 ? y * power(exponent) : y * power(exponent + 1022) * power(1);
}

// Of numbers below the smallest normal one the exponent is wrong; so it is in Go on amd64.
double log(double x) {
  if (x == 0) return -kInfinity;
  if (x < 0) return kNaN;
  if (std::isnan(x) || std::isinf(x)) return x;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  double fraction = std::bit_cast<double>((bits & kMantissa) | kHalf);
  double exponent = static_cast<double>(static_cast<int>(bits >> 52) - 1022);
  if (fraction <= 7.07106781186547524401e-01) {
    fraction *= 2;
    exponent -= 1;
  }
  const double f = fraction - 1;
  const double s = f / (2 + f);
  const double rest = log_rest(s);
  const double half_square = 0.5 * f * f;
  return exponent * kLn2High - ((half_square - (s * (half_square + rest) + exponent * kLn2Low)) - f);
}

double log2(double x) {
  if (!std::isfinite(x) || x == 0) return log(x);
  int exponent = 0;
  const double fraction = std::frexp(x, &exponent);
  if (fraction == 0.5) return exponent - 1;
  return log(fraction) * std::numbers::log2e + exponent;
}

double log10(double x) { return log(x) * std::numbers::log10e; }

double log1p(double x) {
  if (std::isnan(x) || x < -1) return kNaN;
  if (x == -1) return -kInfinity;
  if (x == kInfinity) return x;
  const double size = std::abs(x);
  double f = x;
  double correction = 0;  // of what 1+x rounds off
  int exponent = 0;
  bool tiny = false;  // |f| < 2^-20
  if (size < 0x1p-54) return x;
  if (size < 0x1p-29) return x - x * x * 0.5;
  if (size >= 4.142135623730950488017e-01 || x <= -2.928932188134524755992e-01) {
    const double sum = size < 0x1p53 ? 1.0 + x : x;
    auto bits = std::bit_cast<std::uint64_t>(sum);
    exponent = static_cast<int>(bits >> 52) - 1023;
    if (size < 0x1p53) correction = (exponent > 0 ? 1.0 - (sum - x) : x - (sum - 1.0)) / sum;
    bits &= kMantissa;
    if (bits < 0x6'a09e'667f'3bcd) {  // below the square root of 2
      f = std::bit_cast<double>(bits | kOne) - 1.0;
      tiny = bits == 0;
    } else {
      ++exponent;
      f = std::bit_cast<double>(bits | kHalf) - 1.0;
      tiny = (kMantissa + 1 - bits) >> 2 == 0;
    }
  }
  const double k = exponent;
  const double half_square = 0.5 * f * f;
  if (tiny) {
    if (f == 0) return exponent == 0 ? 0 : k * kLn2High + (correction + k * kLn2Low);
    const double rest = half_square * (1.0 - 0.66666666666666666 * f);
    if (exponent == 0) return f - rest;
    return k * kLn2High - ((rest - (k * kLn2Low + correction)) - f);
  }
  const double s = f / (2.0 + f);
  const double z = s * s;
  const double rest = z * polynomial(z, {kLog7, kLog6, kLog5, kLog4, kLog3, kLog2, kLog1});
  if (exponent == 0) return f - (half_square - s * (half_square + rest));
  return k * kLn2High - ((half_square - (s * (half_square + rest) + (k * kLn2Low + correction))) - f);
}

// x^fraction by exp and log, x^whole by squaring with the power of two kept apart.
double pow(double x, double y) {
  if (y == 0 || x == 1) return 1;
  if (y == 1) return x;
  if (std::isnan(x) || std::isnan(y)) return kNaN;
  if (x == 0 || std::isinf(x) || std::isinf(y)) return std::pow(x, y);  // exact in either library
  if (y == 0.5) return std::sqrt(x);
  if (y == -0.5) return 1 / std::sqrt(x);
  double whole = 0;
  double fraction = std::modf(std::abs(y), &whole);
  if (fraction != 0 && x < 0) return kNaN;
  if (whole >= 0x1p63) {
    if (x == -1) return 1;
    return (std::abs(x) < 1) == (y > 0) ? 0 : kInfinity;
  }
  double result = 1;
  if (fraction != 0) {
    if (fraction > 0.5) {
      fraction -= 1;
      whole += 1;
    }
    result = exp(fraction * log(x));
  }
  std::int64_t result_exponent = 0;
  int exponent = 0;
  double square = std::frexp(x, &exponent);
  for (auto left = static_cast<std::int64_t>(whole); left != 0; left >>= 1) {
    if (std::abs(exponent) > 1 << 12) {  // out of range whatever follows, and the shift below would overflow
      result_exponent += exponent;
      break;
    }
    if ((left & 1) != 0) {
      result *= square;
      result_exponent += exponent;
    }
    square *= square;
    exponent *= 2;
    if (square < 0.5) {
      square += square;
      --exponent;
    }
  }
  if (y < 0) {
    result = 1 / result;
    result_exponent = -result_exponent;
  }
  return std::ldexp(result, static_cast<int>(result_exponent));
}

double sinh(double x) {
  const double size = unsigned_unless_zero(x);
  double y = 0;
  if (size > 21) {
    y = exp(size) * 0.5;
  } else if (size > 0.5) {
    const double e = exp(size);
    y = (e - 1 / e) * 0.5;
  } else {  // Hart & Cheney's approximation 2029
    const double square = size * size;
    y = polynomial(square, {-0.2630563213397497062819489e+2, -0.2894211355989563807284660366e+4,
                            -0.8991272022039509355398013511e+5, -0.6307673640497716991184787251e+6}) *
        size /
        polynomial(square, {1, -0.173678953558233699533450911e+3, 0.1521517378790019070696485176e+5,
                            -0.6307673640497716991212077277e+6});
  }
  return x < 0 ? -y : y;
}

double cosh(double x) {
  const double size = std::abs(x);
  const double e = exp(size);
  return size > 21 ? e * 0.5 : (e + 1 / e) * 0.5;
}

double tanh(double x) {
  const double size = std::abs(x);
  if (x == 0) return x;
  if (size > 0.5 * 8.8029691931113054295988e+01) return x < 0 ? -1 : 1;
  if (size >= 0.625) {
    const double y = 1 - 2 / (exp(2 * size) + 1);
    return x < 0 ? -y : y;
  }
  const double s = x * x;
  return x + x * s * polynomial(s, {-9.64399179425052238628e-1, -9.92877231001918586564e1, -1.61468768441708447952e3}) /
                 polynomial(s, {1, 1.12811678491632931402e2, 2.23548839060100448583e3, 4.84406305325125486048e3});
}

double asinh(double x) {
  if (!std::isfinite(x)) return x;
  const double size = unsigned_unless_zero(x);
  double y = size;
  if (size > 0x1p28) y = log(size) + std::numbers::ln2;
  else if (size > 2) y = log(2 * size + 1 / (std::sqrt(size * size + 1) + size));
  else if (size >= 0x1p-28) y = log1p(size + size * size / (1 + std::sqrt(1 + size * size)));
  return x < 0 ? -y : y;
}

double acosh(double x) {
  if (std::isnan(x) || x < 1) return kNaN;
  if (x == 1) return 0;
  if (x >= 0x1p28) return log(x) + std::numbers::ln2;
  if (x > 2) return log(2 * x - 1 / (x + std::sqrt(x * x - 1)));
  const double t = x - 1;
  return log1p(t + std::sqrt(2 * t + t * t));
}

double atanh(double x) {
  if (std::isnan(x) || x < -1 || x > 1) return kNaN;
  if (std::abs(x) == 1) return x < 0 ? -kInfinity : kInfinity;
  const double size = unsigned_unless_zero(x);
  double y = size;
  if (size >= 0.5) {
    y = 0.5 * log1p((size + size) / (1 - size));
  } else if (size >= 0x1p-28) {
    const double twice = size + size;
    y = 0.5 * log1p(twice + twice * size / (1 - size));
  }
  return x < 0 ? -y : y;
}

double min(double a, double b) {
  if (a == -kInfinity || b == -kInfinity) return -kInfinity;
  if (std::isnan(a) || std::isnan(b)) return kNaN;
  if (a == b) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}

double max(double a, double b) {
  if (a == kInfinity || b == kInfinity) return kInfinity;
  if (std::isnan(a) || std::isnan(b)) return kNaN;
  if (a == b) return std::signbit(a) ? b : a;
  return a > b ? a : b;
}

}  // namespace go
