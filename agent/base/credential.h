// A credential that a configuration gives as it stands or as the file that holds it.
#pragma once

#include <string>

#include "base/result.h"
#include "base/secret.h"

namespace base {

// What `inlined` holds, or the file's text without the white space at its end: read at each use, a rotated credential
// needs no reload. Errors name the file.
Result<std::string> credential(const Secret& inlined, const std::string& file);

}  // namespace base
