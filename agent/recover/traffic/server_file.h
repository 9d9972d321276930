// The file of `server` lines that an nginx upstream{} includes, as text. Only what nginx allows inside upstream{} and
// what cannot change the meaning of the rest is read or written: an address, weight, max_fails, fail_timeout, backup,
// down. Anything else is a mistake with its line, so that a file that somebody else owns is never overwritten. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace recover::traffic {

struct Server {
  std::string address;  // host:port, [v6]:port, unix:/path
  int weight = 1;
  std::vector<std::string> rest;  // max_fails=1, fail_timeout=10s, backup: as they were
  bool down = false;
  std::string drained_for;  // the service for which fettle wrote `down`; "": somebody else did
};

// host:port, [v6]:port or unix:/path, of characters that mean nothing to nginx.
bool is_address(std::string_view text);

base::Result<std::vector<Server>> parse_servers(const std::string& text, const std::string& path);
std::string to_text(const std::vector<Server>& servers);

int live_count(const std::vector<Server>& servers);

}  // namespace recover::traffic
