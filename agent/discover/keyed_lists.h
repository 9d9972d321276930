// Lists of targets that lie as texts in a key-value store, one for each key, in Prometheus' file_sd format. They are
// data as files of targets are: they name what is probed, by a template of the configuration, and decide nothing else.
// Loop thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "discover/target_list.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace discover {

class KeyedLists {
 public:
  // `origin` is the store, for people; mistakes of a text stand at ORIGIN/KEY:line:column. `meta_key` is the label that
  // has the key. `changed` as make() has it.
  KeyedLists(std::string origin, std::string meta_key, loop::Scheduler& scheduler, std::function<void()> changed);

  // All keys that are there, with their texts. A text with mistakes keeps what its key said before; a key that is gone
  // has no targets any more.
  void take(const std::map<std::string, std::string>& texts);
  // The store does not answer: all keep what they said.
  void keep(const std::string& why);
  // The store itself is the first, without targets.
  std::vector<const TargetList*> lists() const;

 private:
  struct Keyed {
    std::string text;
    TargetList list;
  };
  bool read(const std::string& key, const std::string& text, Keyed& keyed) const;

  std::string meta_key_;
  loop::Scheduler& scheduler_;
  std::function<void()> changed_;
  TargetList store_;
  std::map<std::string, Keyed> keys_;
};

}  // namespace discover
