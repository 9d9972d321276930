#include "discover/blocking_query.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "encoding/json_value.h"
#include "loop/scheduler.h"

namespace discover {
namespace {

using namespace std::chrono_literals;

// A write that changes nothing of ours wakes it as well.
constexpr base::Duration kGap = 100ms;
constexpr base::Duration kFirstPause = 1s, kLongestPause = 30s;

}  // namespace

BlockingQuery::BlockingQuery(http::HttpClient& http, loop::Scheduler& scheduler, const http::JsonApi& api,
                             std::string path, base::Millis wait, Callbacks callbacks)
    : http_(http),
      scheduler_(scheduler),
      api_(api),
      path_(std::move(path)),
      wait_(wait),
      callbacks_(std::move(callbacks)),
      pause_(kFirstPause) {
  again({});
}

void BlockingQuery::ask_anew() {
  index_ = 0;
  again({});
}

void BlockingQuery::again(base::Duration wait) {
  pending_ = scheduler_.after(wait, [this] { ask(); });
}

void BlockingQuery::ask() {
  const char* joint = path_.find('?') == std::string::npos ? "?" : "&";
  const std::string waiting = index_ == 0 ? "" : fmt::format("{}index={}&wait={}ms", joint, index_, wait_.count());
  // Consul adds up to a sixteenth; a leader that hangs never answers.
  const base::Duration limit = index_ == 0 ? base::Duration(10s) : base::Duration(wait_) + wait_ / 16 + 5s;
  pending_ = api_.ask(http_, scheduler_, {.path = path_ + waiting, .deadline = scheduler_.now() + limit},
                      [this](const http::HttpResponse& response) { heard(response); });
}

void BlockingQuery::heard(const http::HttpResponse& response) {
  const std::string* text = http::find_header(response.headers, "X-Consul-Index");
  const bool nothing = response.reason == model::Reason::none && response.status == 404 && text != nullptr;
  if (!http::is_good(response) && !nothing) {
    index_ = 0;
    again(pause_);
    pause_ = std::min(2 * pause_, kLongestPause);
    return callbacks_.failed(fmt::format("GET {}: {}", path_, api_.complaint(response)));
  }
  pause_ = kFirstPause;
  const std::uint64_t index = text == nullptr ? 0 : encoding::number_of(*text).value_or(0);
  // One that goes back is of a server that was set up again.
  index_ = text == nullptr || index < index_ ? 0 : std::max<std::uint64_t>(index, 1);
  again(text == nullptr ? base::Duration(wait_) : kGap);  // without an index the next answer would come at once
  callbacks_.answered(nothing ? "" : response.body);
}

}  // namespace discover
