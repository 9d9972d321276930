#include "notify/http_post.h"

#include <fmt/format.h>

#include <utility>

#include "base/version.h"
#include "loop/scheduler.h"
#include "notify/retry.h"

namespace notify {

HttpPost::HttpPost(std::optional<http::HttpConfig> config, const config::Node& node, const std::string& path,
                   config::Errors& errors)
    : client_(std::move(config).value_or(http::HttpConfig{.follow_redirects = false, .enable_http2 = false}),
              node.find("http_config"), path + ".http_config", errors) {}

loop::Handle HttpPost::send(const Context& context, http::HttpRequest request, std::function<void(Sent)> done,
                            JudgeAnswer judge_answer) const {
  request.method = "POST";
  return ask(context, std::move(request),
             [&scheduler = context.scheduler, client = client_, done = std::move(done),
              judge_answer](const base::Result<http::HttpResponse>& response) {
               const base::WallTime now = scheduler.wall_now();
               Sent sent = response && judge_answer != nullptr ? judge_answer(*response, now) : judge(response, now);
               sent.text = client.learned().blotted(std::move(sent.text));
               done(std::move(sent));
             });
}

loop::Handle HttpPost::ask(const Context& context, http::HttpRequest request, http::ConfiguredClient::Done done) const {
  if (!request.body.empty()) request.method = "POST";
  if (request.method == "POST") request.headers.emplace_back("Content-Type", "application/json");
  request.headers.emplace_back("User-Agent", fmt::format("fettle/{}", base::version()));
  request.keeps_method = true;
  request.reuse_connection = true;
  return client_.request(context.http, context.scheduler, std::move(request), std::move(done));
}

}  // namespace notify
