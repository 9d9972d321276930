// Reads the configuration again, on a thread of its own: for ten thousand probes that takes a second, and the loop
// would run no probe meanwhile. One reading at a time. Loop thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "app/loaded_config.h"
#include "config/node.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace app {

class ConfigReader {
 public:
  // What was read, without its document, and its mistakes and warnings. In a later turn of the loop.
  using Done = std::function<void(LoadedConfig loaded, config::Errors errors)>;

  explicit ConfigReader(loop::Scheduler& loop) : loop_(loop) {}
  ~ConfigReader();  // waits for the thread; Done is not called after it

  bool busy() const { return done_ != nullptr; }
  // load() of these two, and whether systemd knows the units. Not while it is busy().
  void read(const std::string& file, const std::string& listen_address, Done done);

 private:
  struct Read;
  void came(Read& read);

  loop::Scheduler& loop_;
  std::thread thread_;
  Done done_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for what is posted
};

}  // namespace app
