#include "notify/json_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/credential.h"
#include "base/text.h"
#include "encoding/json_value.h"
#include "loop/scheduler.h"
#include "notify/fields.h"
#include "notify/retry.h"

namespace notify {

Sent judge_service(const http::HttpResponse& response, base::WallTime now, const ServiceAnswer& answer) {
  Sent sent = judge(response, now);
  if (sent.fate != Fate::taken) return sent;
  const encoding::json body = encoding::read_json(response.body);
  if (!body.is_object() || !body.contains(answer.code_key)) return sent;
  const nlohmann::json& code = body[answer.code_key];
  const bool ok = code.is_boolean() ? code.get<bool>() : code == 0;
  if (ok) return sent;
  const auto text = body.find(answer.text_key);
  sent.text = fmt::format("{} {}", answer.code_key, base::foreign_text(code.dump(), 64));
  if (text != body.end() && text->is_string()) {
    sent.text += ": " + base::foreign_text(text->get<std::string>(), 1024);
  }
  const bool comes_later = (code.is_number_integer() && std::find(answer.later.begin(), answer.later.end(),
                                                                  code.get<std::int64_t>()) != answer.later.end()) ||
                           (text != body.end() && text->is_string() &&
                            std::find(answer.later_texts.begin(), answer.later_texts.end(), text->get<std::string>()) !=
                                answer.later_texts.end());
  sent.fate = comes_later ? Fate::unreached : Fate::refused;
  return sent;
}

base::Result<std::string> SecretOrFile::read() const {
  TRY(std::string text, base::credential(secret, file));
  if (text.empty()) return base::fail(base::Kind::invalid, file + " is empty");
  return text;
}

std::string target_of(const SecretOrFile& url, const char* otherwise) {
  return url.file.empty() ? origin(url.secret.reveal()) : otherwise;
}

loop::Handle post_json(const HttpPost& post, const Context& context, const base::Result<std::string>& url,
                       std::string body, base::Instant deadline, std::function<void(Sent)> done,
                       HttpPost::JudgeAnswer judge_answer) {
  if (!url) return cannot_send(context, url.error(), std::move(done));
  http::HttpRequest request;
  request.url = *url;
  request.body = std::move(body);
  request.deadline = deadline;
  return post.send(context, std::move(request), std::move(done), judge_answer);
}

loop::Handle cannot_send(const Context& context, const base::Error& error, std::function<void(Sent)> done) {
  return context.scheduler.after({}, [error, done = std::move(done)] {
    Sent sent;
    sent.fate = Fate::unreached;
    sent.text = base::foreign_text(error.text, 1024);
    done(sent);
  });
}

}  // namespace notify
