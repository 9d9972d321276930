// Certificate, chain and key in one anonymous file, because CivetWeb reads all of them from one path. Never on a disk.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"
#include "web/web_config.h"

namespace web {

class TlsBundle {
 public:
  static base::Result<TlsBundle> read(const TlsFiles& files);
  std::string path() const;  // valid while this lives
  // If a file changed since: what stands there now is behind the same path from then on, all of it at once, with a
  // later time of change, by which CivetWeb knows (its ssl_short_trust). It then reads client_ca_file again, too, and
  // trusts whom that names besides whom it trusted before. What cannot be used changes nothing; it is told once. Loop
  // thread.
  void read_what_changed();

 private:
  TlsBundle(TlsFiles files, std::string text, base::UniqueFd fd)
      : files_(std::move(files)), tried_(std::move(text)), fd_(std::move(fd)) {}

  TlsFiles files_;
  std::string tried_;  // certificate, key and clients' authorities as they were read last, for better or worse
  base::UniqueFd fd_;
  int generation_ = 0;
};

}  // namespace web
