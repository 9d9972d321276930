// Circular functions: an argument reduced to an octant, then a polynomial of it.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "go/math.h"
#include "go/polynomial.h"

namespace go {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kPi = std::numbers::pi;

// x = (octant + 8k) * pi/4 + rest, with an even octant and |rest| <= pi/4.
struct Reduced {
  std::uint64_t octant;
  double rest;
};

// 4/pi as a fixed point number: the first word is whole, the others are fractions of 64 bits.
constexpr std::uint64_t kFourOverPi[] = {
    0x0000000000000001, 0x45f306dc9c882a53, 0xf84eafa3ea69bb81, 0xb6c52b3278872083, 0xfca2c757bd778ac3,
    0x6e48dc74849ba5c0, 0x0c925dd413a32439, 0xfc3bd63962534e7d, 0xd1046bea5d768909, 0xd338e04d68befc82,
    0x7323ac7306a673e9, 0x3908bf177bf25076, 0x3ff12fffbc0b301f, 0xde5e2316b414da3e, 0xda6cfd9e4f96136e,
    0x9e8c7ecd3cbfd45a, 0xea4f758fd7cbe2f6, 0x7a0e73ef14a525d4, 0xd7f6bf623f1aba10, 0xac06608df8f6d757,
};

// Payne and Hanek's reduction ("Argument reduction for huge arguments", K. C. Ng, 1992): of the product of x with the
// digits of 4/pi only those are computed that matter modulo 8.
Reduced reduce_huge(double x) {
  __extension__ using Wide = unsigned __int128;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  const int exponent = static_cast<int>(bits >> 52) - 1023 - 52;
  const std::uint64_t mantissa = (bits & ((std::uint64_t{1} << 52) - 1)) | (std::uint64_t{1} << 52);
  const auto first_bit = static_cast<unsigned>(exponent + 61);
  const auto word = [first_bit](unsigned i) {
    const unsigned at = first_bit / 64 + i;
    const unsigned shift = first_bit % 64;
    return shift == 0 ? kFourOverPi[at] : kFourOverPi[at] << shift | kFourOverPi[at + 1] >> (64 - shift);
  };
  const Wide product = (Wide{word(0) * mantissa} << 64) + Wide{word(1)} * mantissa + (Wide{word(2)} * mantissa >> 64);
  Reduced out{static_cast<std::uint64_t>(product >> 125), 0};
  // The fraction's leading one becomes the implicit bit of a double in [0, 1); what does not fit is cut off.
  const auto high = static_cast<std::uint64_t>(product >> 61);
  const auto low = static_cast<std::uint64_t>(product);
  const auto zeros = static_cast<unsigned>(std::countl_zero(high));
  const auto after_one = static_cast<std::uint64_t>((Wide{high} << 64 | low) << (zeros + 1) >> 64);
  out.rest = std::bit_cast<double>(after_one >> 12 | (std::uint64_t{1023} - (zeros + 1)) << 52);
  if ((out.octant & 1) != 0) {
    out.octant = (out.octant + 1) & 7;
    out.rest -= 1;
  }
  out.rest *= kPi / 4;
  return out;
}

// Of a finite x >= 0. Cody and Waite's reduction with pi/4 in three parts while the multiples of the first are exact.
Reduced reduce(double x) {
  if (x >= 0x1p29) return reduce_huge(x);
  constexpr double kFirst = 7.85398125648498535156e-1;
  constexpr double kSecond = 3.77489470793079817668e-8;
  constexpr double kThird = 2.69515142907905952645e-15;
  auto octant = static_cast<std::uint64_t>(x * 1.27323954473516268615107010698140931);
  octant += octant & 1;
  const auto y = static_cast<double>(octant);
  return {octant & 7, ((x - y * kFirst) - y * kSecond) - y * kThird};
}

double sine_of_octant(double z) {
  const double square = z * z;
  return z +
         z * square *
             polynomial(square, {1.58962301576546568060e-10, -2.50507477628578072866e-8, 2.75573136213857245213e-6,
                                 -1.98412698295895385996e-4, 8.33333333332211858878e-3, -1.66666666666666307295e-1});
}

double cosine_of_octant(double z) {
  const double square = z * z;
  return 1.0 - 0.5 * square +
         square * square *
             polynomial(square, {-1.13585365213876817300e-11, 2.08757008419747316778e-9, -2.75573141792967388112e-7,
                                 2.48015872888517045348e-5, -1.38888888888730564116e-3, 4.16666666666665929218e-2});
}

double arctangent_of_octant(double x) {
  const double square = x * x;
  const double above =
      polynomial(square, {-8.750608600031904122785e-01, -1.615753718733365076637e+01, -7.500855792314704667340e+01,
                          -1.228866684490136173410e+02, -6.485021904942025371773e+01});
  const double below =
      polynomial(square, {1, 2.485846490142306297962e+01, 1.650270098316988542046e+02, 4.328810604912902668951e+02,
                          4.853903996359136964868e+02, 1.945506571482613964425e+02});
  return x * (square * above / below) + x;
}

// Of x >= 0, which is mapped to the interval [0, 0.66].
double arctangent(double x) {
  constexpr double kBitsBeyond = 6.123233995736765886130e-17;  // pi/2 without its double
  if (x <= 0.66) return arctangent_of_octant(x);
  if (x > 2.41421356237309504880) return kPi / 2 - arctangent_of_octant(1 / x) + kBitsBeyond;
  return kPi / 4 + arctangent_of_octant((x - 1) / (x + 1)) + 0.5 * kBitsBeyond;
}

}  // namespace

double sin(double x) {
  if (x == 0 || std::isnan(x)) return x;
  if (std::isinf(x)) return kNaN;
  const auto [octant, rest] = reduce(std::abs(x));
  const double y = (octant & 3) == 2 ? cosine_of_octant(rest) : sine_of_octant(rest);
  return (octant > 3) != (x < 0) ? -y : y;
}

double cos(double x) {
  if (!std::isfinite(x)) return kNaN;
  const auto [octant, rest] = reduce(std::abs(x));
  const double y = (octant & 3) == 2 ? sine_of_octant(rest) : cosine_of_octant(rest);
  return octant == 2 || octant == 4 ? -y : y;
}

double tan(double x) {
  if (x == 0 || std::isnan(x)) return x;
  if (std::isinf(x)) return kNaN;
  const auto [octant, rest] = reduce(std::abs(x));
  const double square = rest * rest;
  double y = rest;
  if (square > 1e-14)
    y = rest +
        rest * (square *
                polynomial(square, {-1.30936939181383777646e4, 1.15351664838587416140e6, -1.79565251976484877988e7}) /
                polynomial(square, {1, 1.36812963470692954678e4, -1.32089234440210967447e6, 2.50083801823357915839e7,
                                    -5.38695755929454629881e7}));
  if ((octant & 2) != 0) y = -1 / y;
  return x < 0 ? -y : y;
}

double asin(double x) {
  if (x == 0) return x;
  const double size = std::abs(x);
  if (!(size <= 1)) return kNaN;
  const double side = std::sqrt(1 - size * size);
  const double y = size > 0.7 ? kPi / 2 - arctangent(side / size) : arctangent(size / side);
  return x < 0 ? -y : y;
}

double acos(double x) { return kPi / 2 - asin(x); }

double atan(double x) {
  if (x == 0) return x;
  return x > 0 ? arctangent(x) : -arctangent(-x);
}

double atan2(double y, double x) {
  // Zeros, infinities and NaN are multiples of pi/4, and the C library knows them as well.
  if (y == 0 || x == 0 || !std::isfinite(x) || !std::isfinite(y)) return std::atan2(y, x);
  const double q = atan(y / x);
  if (x > 0) return q;
  return q <= 0 ? q + kPi : q - kPi;
}

}  // namespace go
