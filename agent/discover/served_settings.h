// Settings of a source that asks a server: its keys, and how the server is asked.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "discover/source.h"

namespace discover {

// `Asking` is made as Asking(keys, server, context, changed), and copies what it keeps of them.
template <typename Asking, typename Keys, typename Server>
class ServedSettings final : public Settings {
 public:
  ServedSettings(Keys keys, Server server) : keys_(std::move(keys)), server_(std::move(server)) {}
  std::unique_ptr<Source> make(const Context& context, std::function<void()> changed) const override {
    return std::make_unique<Asking>(keys_, server_, context, std::move(changed));
  }

 private:
  Keys keys_;
  Server server_;
};

}  // namespace discover
