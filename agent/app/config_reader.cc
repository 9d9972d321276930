#include "app/config_reader.h"

#include <utility>

#include "app/config_lint.h"
#include "base/thread.h"
#include "loop/scheduler.h"

namespace app {

struct ConfigReader::Read {
  LoadedConfig loaded;
  config::Errors errors;
};

ConfigReader::~ConfigReader() {
  *alive_ = false;
  if (thread_.joinable()) thread_.join();
}

void ConfigReader::read(const std::string& file, const std::string& listen_address, Done done) {
  done_ = std::move(done);
  const auto found = std::make_shared<Read>();
  auto work = [this, alive = alive_, found, file, listen_address] {
    LoadedConfig loaded = load(file, found->errors, listen_address);
    warn_of_units(loaded, unit_folders(), found->errors);
    found->loaded = without_document(std::move(loaded));
    loop_.post([this, alive, found] {
      if (*alive) came(*found);
    });
  };
  if (thread_.joinable()) thread_.join();  // it has told the last one
  if (auto started = base::start_thread("to read the configuration", work)) thread_ = *std::move(started);
  else work();  // later is better than never
}

void ConfigReader::came(Read& read) {
  const Done done = std::exchange(done_, nullptr);
  done(std::move(read.loaded), std::move(read.errors));
}

}  // namespace app
