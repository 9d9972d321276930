// The file of `server` lines that an nginx upstream{} includes, as text. Only `server` lines with parameters that
// cannot change the meaning of the rest are read or written. Anything else is a mistake with its line, so that a file
// of another owner is never overwritten. What is not changed stays as it was written: lines, their order, parameters,
// comments. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace recover::traffic {

// Why a server is down: another author wrote it, or fettle did for a plan or for the health of a service.
enum class Hold { others, drained, unhealthy };

struct Server {
  std::string address;               // host:port, [v6]:port, unix:/path
  int weight = 1;                    // of its whole share
  std::vector<std::string> words{};  // its parameters in their order, weight=5 and down among them
  bool down = false;
  Hold hold = Hold::others;  // while down
  int share = 100;           // percent of its weight that it gets, in steps of kShareStep; 100 while down
  std::string holder{};      // the service for which fettle wrote `down` or a share; "": it did not
  std::string raw{};         // the line as it was read; "" for a new one
  std::string note{};        // a comment of others behind it
  std::string before{};      // whole lines of comments and blanks in front of it
  std::string after{};       // the same behind the last one
};

// nginx' weights are whole numbers: while one server has a share, all weights are written kScale times as large.
inline constexpr int kShareStep = 5;
inline constexpr int kScale = 20;

// host:port, [v6]:port or unix:/path, of characters that mean nothing to nginx.
bool is_address(std::string_view text);

base::Result<std::vector<Server>> parse_servers(const std::string& text, const std::string& path);
std::string to_text(const std::vector<Server>& servers);

int live_count(const std::vector<Server>& servers);

}  // namespace recover::traffic
