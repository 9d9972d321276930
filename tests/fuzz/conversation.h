// A probe that talks to whatever the input says, over a stream that is none. Whatever comes: the run ends once, also if
// the peer says no more, and it does not matter in which pieces the bytes came.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "probe/spec.h"

namespace fuzz {

class Conversation {
 public:
  // What the peer says first, given what the probe has said so far: what no fixed input could know.
  using Opening = std::function<std::string(const std::string& said)>;

  // As `fettle probe` takes them.
  Conversation(const std::string& type, const std::string& target, const std::vector<std::string>& settings,
               Opening opening = nullptr);
  void hear(std::string_view bytes) const;

 private:
  using Pieces = std::vector<std::string>;
  model::Outcome run(const Pieces& pieces) const;

  probe::Spec spec_;
  Opening opening_;
};

}  // namespace fuzz
