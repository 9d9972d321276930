// A question that Consul answers when its answer is another one
// (https://developer.hashicorp.com/consul/api-docs/features/blocking): asked again and again, with the index of the
// answer before. Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/time.h"
#include "http/json_api.h"
#include "loop/handle.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace discover {

class BlockingQuery {
 public:
  struct Callbacks {
    // A good one, also the same as before; "" for a key that is not there.
    std::function<void(const std::string& body)> answered;
    std::function<void(const std::string& why)> failed;  // it is asked again, later and later
  };
  // `path` with its query. Consul answers after `wait` at the latest. Begins in a later turn. The references outlive
  // it.
  BlockingQuery(http::HttpClient& http, loop::Scheduler& scheduler, const http::JsonApi& api, std::string path,
                base::Millis wait, Callbacks callbacks);
  // At once, without an index.
  void ask_anew();

 private:
  void ask();
  void heard(const http::HttpResponse& response);
  void again(base::Duration wait);

  http::HttpClient& http_;
  loop::Scheduler& scheduler_;
  const http::JsonApi& api_;
  std::string path_;
  base::Millis wait_;
  Callbacks callbacks_;
  std::uint64_t index_ = 0;  // 0: none
  base::Duration pause_;     // before the next try after a failure
  loop::Handle pending_;
};

}  // namespace discover
