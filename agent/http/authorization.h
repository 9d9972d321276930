// basic_auth and authorization, in Prometheus' words. Files are read at each use: a rotated credential needs no reload.
#pragma once

#include <string>

#include "base/result.h"
#include "base/secret.h"
#include "config/schema.h"

namespace http {

struct BasicAuth {
  std::string username;
  std::string username_file;
  base::Secret password;
  std::string password_file;
};

struct Authorization {
  std::string type = "Bearer";
  base::Secret credentials;
  std::string credentials_file;
};

const config::Schema<BasicAuth>& basic_auth_schema();
const config::Schema<Authorization>& authorization_schema();

// The value of the Authorization header. Errors name the file that could not be read.
base::Result<std::string> header_value(const BasicAuth& auth);
base::Result<std::string> header_value(const Authorization& auth);

}  // namespace http
