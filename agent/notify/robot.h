// Robots of chats (DingTalk, Feishu, WeCom): a URL with its token, a title and a text, and for some a secret that
// messages are signed with.
#pragma once

#include <cstddef>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "notify/json_service.h"

namespace notify {

struct RobotSettings {
  SecretOrFile url, secret;
  std::string title = "{{ template \"fettle.title\" . }}";
  std::string text = "{{ template \"fettle.text\" . }}";
  std::optional<http::HttpConfig> http_config;
};

// What one service does in its own way.
struct Robot {
  const char* type;
  std::size_t text_limit;  // bytes
  nlohmann::ordered_json (*body)(const std::string& title, const std::string& text);
  HttpPost::JudgeAnswer judge_answer;
  void (*sign)(http::HttpRequest& request, const std::string& secret, base::WallTime now) = nullptr;  // null: never
};

// Of TYPE_configs; `example` is what a URL looks like.
config::Schema<RobotSettings> robot_schema(const Robot& robot, const char* example);
std::unique_ptr<const Notifier> make_robot(const Robot& robot, const config::Schema<RobotSettings>& schema,
                                           const config::Node& node, const std::string& path,
                                           const std::vector<templates::Definitions>& definitions,
                                           config::Errors& errors);

}  // namespace notify
