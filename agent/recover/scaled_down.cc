#include "recover/scaled_down.h"

#include <utility>

namespace recover {

loop::Handle ask_scaled_down(const Context& context, const http::JsonApi& api, const std::string& path,
                             std::function<bool(const encoding::json&)> none, std::string text, base::Instant deadline,
                             std::function<void(std::string)> done) {
  return api.ask(
      *context.http, context.scheduler, {.path = path, .deadline = deadline},
      [none = std::move(none), text = std::move(text), done = std::move(done)](const http::HttpResponse& response) {
        const bool stopped = http::is_good(response) && none(encoding::read_json(response.body));
        done(stopped ? text : "");
      });
}

}  // namespace recover
