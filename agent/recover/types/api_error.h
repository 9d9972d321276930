// The answer of an API that did not do what an action asked of it, as the action tells it.
#pragma once

#include <string>

#include "http/http_client.h"
#include "recover/action.h"

namespace recover {

// `text`: what was asked and what came of it. A call without an answer may have been heard all the same.
inline ActionResult api_error(const http::HttpResponse& response, const std::string& text) {
  if (response.reason == model::Reason::agent_overloaded) return {ActionStatus::failed, text, true};
  if (response.reason == model::Reason::read_timeout)
    return {ActionStatus::timeout, text + "; it may have begun all the same"};
  const bool refused = response.reason == model::Reason::none && (response.status == 401 || response.status == 403);
  return {refused ? ActionStatus::refused : ActionStatus::failed, text};
}

}  // namespace recover
