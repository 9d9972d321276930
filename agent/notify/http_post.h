// How a receiver over HTTP sends its messages: by POST, with what its http_config says, and so that none gets lost on
// the way.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "http/configured_client.h"
#include "notify/notifier.h"

namespace notify {

class HttpPost {
 public:
  // `node` and `path` are the receiver's. Without http_config no redirect is followed and HTTP/1.1 is spoken.
  HttpPost(std::optional<http::HttpConfig> config, const config::Node& node, const std::string& path,
           config::Errors& errors);

  // Sends what has a URL, a body in JSON, a deadline and headers of its own. Redirects that would drop the body are an
  // answer in any case.
  // `judge_answer` where a status says too little.
  using JudgeAnswer = Sent (*)(const http::HttpResponse&, base::WallTime now);
  loop::Handle send(const Context& context, http::HttpRequest request, std::function<void(Sent)> done,
                    JudgeAnswer judge_answer = nullptr) const;
  // The same where more than one answer is needed: posts what has a body, gets what has none. An error: nothing was
  // sent. Secrets in the answer are the caller's to hide.
  loop::Handle ask(const Context& context, http::HttpRequest request, http::ConfiguredClient::Done done) const;

 private:
  http::ConfiguredClient client_;
};

}  // namespace notify
