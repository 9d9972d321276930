// `fettle silence`: add, list and expire, in amtool's words. All three go over the admin socket.
#pragma once

#include <string>
#include <vector>

namespace cli {

struct SilenceAddition {
  std::string start, end;  // RFC 3339 or seconds since the epoch; "": now, and `duration` after the start
  std::string duration = "1h";
  std::string author, comment;
  std::vector<std::string> matchers;
};

enum class SilenceOutput { table, json, ids };

struct SilenceListing {
  bool expired = false;  // those that expired, in place of those that hold or will hold
  SilenceOutput output = SilenceOutput::table;
};

int run_silence_add(const std::string& socket, const SilenceAddition& addition);  // prints the id
int run_silence_list(const std::string& socket, const SilenceListing& listing);
int run_silence_expire(const std::string& socket, const std::vector<std::string>& ids);

}  // namespace cli
