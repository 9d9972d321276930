// DingTalk: a custom robot, signed with its secret if it has one (documented as "additional signature").
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/percent.h"
#include "crypto/hmac.h"
#include "notify/robot.h"

namespace notify {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kTextLimit = 16'000;  // bytes; the service takes messages of 20,000

ordered_json body(const std::string& title, const std::string& text) {
  return {{"msgtype", "markdown"},
          {"markdown", {{"title", title}, {"text", fmt::format("**{}**\n\n{}", title, text)}}}};
}

// base64(HMAC-SHA256(secret, "TIMESTAMP\nSECRET")), with the timestamp in ms.
void sign(http::HttpRequest& request, const std::string& secret, base::WallTime now) {
  const std::int64_t timestamp = base::to_ms(now);
  const std::string sign = base::base64_encode(crypto::hmac_sha256(secret, fmt::format("{}\n{}", timestamp, secret)));
  request.url += fmt::format("{}timestamp={}&sign={}", request.url.find('?') == std::string::npos ? '?' : '&',
                             timestamp, base::form_encode(sign));
}

// It answers 200 in any case.
Sent judge_answer(const http::HttpResponse& response, base::WallTime now) {
  return judge_service(response, now, {"errcode", "errmsg", {130101, 130102}});
}

const Robot kRobot{"dingtalk", kTextLimit, body, judge_answer, sign};

const auto& schema() {
  static const auto s = robot_schema(kRobot, "https://oapi.dingtalk.com/robot/send?access_token=...");
  return s;
}

std::unique_ptr<const Notifier> parse(const config::Node& node, const std::string& path,
                                      const std::vector<templates::Definitions>& definitions, config::Errors& errors) {
  return make_robot(kRobot, schema(), node, path, definitions, errors);
}

}  // namespace

extern const NotifierType dingtalk_type;
const NotifierType dingtalk_type{"dingtalk", "Posts to a custom robot of DingTalk.",
                                 "{url: \"https://oapi.dingtalk.com/robot/send?access_token=key\", secret: SEC0123}",
                                 parse,
                                 []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace notify
