// Feishu (Lark): a custom bot, signed with its secret if it has one. The signature is in the body, so that it is made
// when the message is sent.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "crypto/hmac.h"
#include "notify/fields.h"
#include "notify/robot.h"

namespace notify {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kTextLimit = 16'000;  // bytes; the service takes messages of 20,000

ordered_json body(const std::string& title, const std::string& text) {
  ordered_json out{{"msg_type", "post"}};
  ordered_json& post = out["content"]["post"]["en_us"];
  post["title"] = title;
  const ordered_json paragraph = ordered_json::array({ordered_json{{"tag", "text"}, {"text", text}}});
  post["content"] = ordered_json::array({paragraph});
  return out;
}

// base64(HMAC-SHA256("TIMESTAMP\nSECRET", "")), with the timestamp in seconds.
void sign(http::HttpRequest& request, const std::string& secret, base::WallTime now) {
  const std::string timestamp = fmt::format("{}", base::to_ms(now) / 1000);
  ordered_json out{{"timestamp", timestamp},
                   {"sign", base::base64_encode(crypto::hmac_sha256(timestamp + "\n" + secret, ""))}};
  out.update(ordered_json::parse(request.body, nullptr, false));
  request.body = dump_json(out);
}

// It answers 200 in any case.
Sent judge_answer(const http::HttpResponse& response, base::WallTime now) {
  return judge_service(response, now, {"code", "msg", {9499, 11232}});
}

const Robot kRobot{"feishu", kTextLimit, body, judge_answer, sign};

const auto& schema() {
  static const auto s = robot_schema(kRobot, "https://open.feishu.cn/open-apis/bot/v2/hook/...");
  return s;
}

std::unique_ptr<const Notifier> parse(const config::Node& node, const std::string& path,
                                      const std::vector<templates::Definitions>& definitions, config::Errors& errors) {
  return make_robot(kRobot, schema(), node, path, definitions, errors);
}

}  // namespace

extern const NotifierType feishu_type;
const NotifierType feishu_type{"feishu", "Posts to a custom bot of Feishu or Lark.",
                               "{url: \"https://open.feishu.cn/open-apis/bot/v2/hook/key\", secret: key}", parse,
                               []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace notify
