// Certificate, chain and key in one anonymous file, because CivetWeb reads all of them from one path. Never on a disk.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "web/web_config.h"

namespace web {

class TlsBundle {
 public:
  static base::Result<TlsBundle> read(const TlsFiles& files);
  std::string path() const;  // valid while this lives

 private:
  explicit TlsBundle(base::UniqueFd fd) : fd_(std::move(fd)) {}
  base::UniqueFd fd_;
};

}  // namespace web
