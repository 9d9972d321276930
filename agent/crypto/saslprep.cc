#include "crypto/saslprep.h"

#include <stringprep.h>

#include <algorithm>
#include <cstring>

namespace crypto {

std::string saslprep(std::string_view password) {
  const std::string as_is(password);
  const bool ascii = std::all_of(password.begin(), password.end(), [](char c) { return (c & 0x80) == 0; });
  if (ascii || as_is.find('\0') != std::string::npos) return as_is;
  // A code point becomes 18 at most.
  std::string prepared(as_is.size() * 18 + 1, '\0');
  std::memcpy(prepared.data(), as_is.data(), as_is.size());
  const int failed = stringprep(prepared.data(), prepared.size(), STRINGPREP_NO_UNASSIGNED, stringprep_saslprep);
  prepared.resize(std::strlen(prepared.c_str()));
  return failed != STRINGPREP_OK || prepared.empty() ? as_is : prepared;
}

}  // namespace crypto
