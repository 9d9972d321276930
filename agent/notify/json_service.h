// What services that take a JSON body over HTTP have in common: how they are asked, and a body that is looked at for
// the reason why a message was not taken.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/request.h"
#include "config/schema.h"
#include "notify/http_post.h"
#include "notify/message_text.h"
#include "notify/notifier.h"

namespace notify {

// An answer as a service means it: `code` under which key, 0 for what was taken, and those that ask to come later.
struct ServiceAnswer {
  const char* code_key;
  const char* text_key;
  std::vector<std::int64_t> later;
  std::vector<std::string_view> later_texts{};  // of services that answer with a word
};
// Of an answer with status 200 whose body says that it was refused all the same. One without the key was taken.
Sent judge_service(const http::HttpResponse& response, base::WallTime now, const ServiceAnswer& answer);

// A secret of the configuration: written there, or in a file that is read for each message.
struct SecretOrFile {
  base::Secret secret;
  std::string file;

  bool empty() const { return secret.empty() && file.empty(); }
  base::Result<std::string> read() const;
};

// `key`, for the secret itself, and `file_key`, for a file with it; not both, and one of them where it is `needed`.
enum class Needed { no, yes };
template <typename Settings>
void add_secret(config::Schema<Settings>& schema, const char* key, const char* file_key, SecretOrFile Settings::*member,
                const char* help, Needed needed = Needed::yes) {
  const auto reader = [member](auto SecretOrFile::*part) {
    return
        [member, part](const config::Node& node, Settings& settings, const std::string& path, config::Errors& errors) {
          std::string why;
          if (!config::read(node, settings.*member.*part, why)) errors.add(node.mark(), path, why);
        };
  };
  schema.custom(key, help, needed == Needed::yes ? file_key : "none", reader(&SecretOrFile::secret))
      .custom(file_key, "A file with that; read for each message.", "none", reader(&SecretOrFile::file))
      .withholds({key})
      .check([=](const Settings& settings, const config::Complain& complain) {
        const SecretOrFile& one = settings.*member;
        if (needed == Needed::yes && one.empty()) complain("", std::string("write ") + key + " or " + file_key);
        if (!one.secret.empty() && !one.file.empty()) complain(file_key, std::string("cannot stand beside ") + key);
      });
}

// A URL that stands in the file itself, and what one looks like.
template <typename Settings>
void check_url(config::Schema<Settings>& schema, const char* key, SecretOrFile Settings::*member, const char* example) {
  schema.check([=](const Settings& settings, const config::Complain& complain) {
    const base::Secret& url = (settings.*member).secret;
    if (url.empty()) return;
    if (const std::string why = config::url_complaint(url.reveal(), example); !why.empty()) complain(key, why);
  });
}

// What makes an integration of its settings, a way to post, the reader of its texts and `more`; null if there are
// mistakes.
template <typename Made, typename Settings, typename... More>
std::unique_ptr<const Notifier> make_service(const config::Schema<Settings>& schema, const config::Node& node,
                                             const std::string& path,
                                             const std::vector<templates::Definitions>& definitions,
                                             config::Errors& errors, const More&... more) {
  const std::size_t before = errors.size();
  Settings settings = schema.parse(node, path, errors);
  HttpPost post(settings.http_config, node, path, errors);
  if (errors.size() > before) return nullptr;
  auto made = std::make_unique<Made>(std::move(settings), std::move(post), TextReader(node, path, definitions, errors),
                                     more...);
  if (errors.size() > before) return nullptr;
  return made;
}

// Of a URL that is a secret, what logs and metrics may say.
std::string target_of(const SecretOrFile& url, const char* otherwise);

// Posts the body to the URL; without one `done` hears why.
loop::Handle post_json(const HttpPost& post, const Context& context, const base::Result<std::string>& url,
                       std::string body, base::Instant deadline, std::function<void(Sent)> done,
                       HttpPost::JudgeAnswer judge_answer = nullptr);
// Tells `done` in a later turn that there was nothing to send with.
loop::Handle cannot_send(const Context& context, const base::Error& error, std::function<void(Sent)> done);

}  // namespace notify
