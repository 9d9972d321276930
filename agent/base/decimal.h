// Floating point numbers as plain decimals.
#pragma once

#include <string>

namespace base {

// The shortest digits that read back the same, without an exponent, zeros where the digits end before the point:
// 2^62 is 4611686018427388000, not 4611686018427387904. So strconv.FormatFloat(v, 'f', -1, 64) prints in Go.
// For finite numbers.
std::string plain_decimal(double v);

}  // namespace base
