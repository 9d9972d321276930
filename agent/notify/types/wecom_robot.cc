// WeCom: a robot of a group.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "notify/robot.h"

namespace notify {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kTextLimit = 3'000;  // bytes; the service takes 4,096 with the title

ordered_json body(const std::string& title, const std::string& text) {
  return {{"msgtype", "markdown"}, {"markdown", {{"content", fmt::format("**{}**\n{}", title, text)}}}};
}

// It answers 200 in any case.
Sent judge_answer(const http::HttpResponse& response, base::WallTime now) {
  return judge_service(response, now, {"errcode", "errmsg", {45009}});
}

const Robot kRobot{"wecom_robot", kTextLimit, body, judge_answer};

const auto& schema() {
  static const auto s = robot_schema(kRobot, "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=...");
  return s;
}

std::unique_ptr<const Notifier> parse(const config::Node& node, const std::string& path,
                                      const std::vector<templates::Definitions>& definitions, config::Errors& errors) {
  return make_robot(kRobot, schema(), node, path, definitions, errors);
}

}  // namespace

extern const NotifierType wecom_robot_type;
const NotifierType wecom_robot_type{"wecom_robot", "Posts to a robot of a group in WeCom.",
                                    "{url: \"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=key\"}", parse,
                                    []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace notify
