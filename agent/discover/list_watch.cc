#include "discover/list_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/percent.h"
#include "base/text.h"
#include "loop/scheduler.h"

namespace discover {
namespace {

using encoding::json;
using encoding::member;
using encoding::text_of;
using namespace std::chrono_literals;

// What comes together is told together.
constexpr base::Duration kGather = 100ms;
// Between two watches.
constexpr base::Duration kGap = 1s;
constexpr base::Duration kFirstPause = 1s, kLongestPause = 30s;
constexpr base::Duration kPatience = 30s;
// The server ends the watch then. One that is stopping leaves it open without a word: the limit is ours.
constexpr base::Duration kWatch = 240s, kLimit = kWatch + 15s;
// A list once in a while, whatever the watch says; it may come from the server's cache.
constexpr base::Duration kListAgain = 5min;
constexpr std::size_t kLargestList = std::size_t{64} * 1024 * 1024;
constexpr std::size_t kLargestWatch = std::size_t{8} * 1024 * 1024;  // then it begins a new body

}  // namespace

ListWatch::ListWatch(http::HttpClient& http, loop::Scheduler& scheduler, const http::JsonApi& api, std::string path,
                     std::string selectors, Callbacks callbacks)
    : http_(http),
      scheduler_(scheduler),
      api_(api),
      path_(std::move(path)),
      selectors_(std::move(selectors)),
      callbacks_(std::move(callbacks)),
      pause_(kFirstPause) {
  ask_anew();
}

void ListWatch::ask_anew() {
  pending_.reset();
  events_.clear();
  timer_ = scheduler_.after({}, [this] { list(); });
}

void ListWatch::ask(const std::string& query, base::Duration patience, std::size_t limit,
                    std::function<bool(std::string_view)> enough, std::function<void(const http::HttpResponse&)> then) {
  const std::string joint = selectors_.empty() || query.empty() ? "" : "&";
  const std::string whole = query + joint + selectors_;
  pending_ = api_.ask(http_, scheduler_,
                      {.path = whole.empty() ? path_ : path_ + "?" + whole,
                       .deadline = scheduler_.now() + patience,
                       .body_limit = limit,
                       .enough = std::move(enough)},
                      std::move(then));
}

void ListWatch::list() {
  expired_ = cut_ = false;
  // From the server's cache, which costs the cluster little, as long as that is no older than what was seen (0:
  // anything); without a version the store itself is read.
  const std::string version = "resourceVersion=" + (version_.empty() ? "0" : base::percent_encode(version_));
  ask(fresh_ ? "" : version, kPatience, kLargestList, {},
      [this](const http::HttpResponse& response) { take_list(response); });
}

void ListWatch::take_list(const http::HttpResponse& response) {
  if (!http::is_good(response)) return fail(response, api_.complaint(response));
  json document = encoding::read_json(response.body);
  const json& items = member(document, "items");
  const std::string version = text_of(member(member(document, "metadata"), "resourceVersion"));
  if (version.empty() || !(items.is_array() || items.is_null())) return fail(response, "the answer is no list");
  version_ = version;
  pause_ = kFirstPause;
  fresh_ = false;
  listed_ = scheduler_.now();
  events_.clear();
  timer_ = scheduler_.after({}, [this] { watch(); });
  // Moved: they may be most of 64 MiB.
  callbacks_.listed(items.is_array() ? std::move(document["items"].get_ref<json::array_t&>()) : json::array_t());
}

void ListWatch::watch() {
  read_ = 0;
  said_.clear();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(kWatch).count();
  ask(
      fmt::format("watch=1&allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={}",
                  base::percent_encode(version_), seconds),
      kLimit, kLargestWatch, [this](std::string_view body) { return read_lines(body); },
      [this](const http::HttpResponse& response) { watch_ended(response); });
}

// The lines of `body` that are whole and were not read yet: an event each. True if the watch says that it is over.
bool ListWatch::read_lines(std::string_view body) {
  for (std::size_t end; (end = body.find('\n', read_)) != std::string_view::npos; read_ = end + 1) {
    json event = encoding::read_json(body.substr(read_, end - read_));
    const std::string type = text_of(member(event, "type"));
    const json& object = member(event, "object");
    if (type == "ERROR") {
      expired_ = encoding::number_of(member(object, "code")).value_or(0) == 410;
      said_ = base::first_line(text_of(member(object, "message")), 200);
      if (said_.empty()) said_ = "an error without a message";
      return true;
    }
    const std::string version = text_of(member(member(object, "metadata"), "resourceVersion"));
    if (type.empty() || version.empty()) continue;
    version_ = version;
    cut_ = false;
    if (type != "BOOKMARK") events_.push_back({type == "DELETED", std::move(event["object"])});
  }
  if (!events_.empty() && !delivery_) delivery_ = scheduler_.after(kGather, [this] { deliver(); });
  return false;
}

void ListWatch::deliver() {
  delivery_.reset();
  const std::vector<Event> events = std::exchange(events_, {});
  if (!events.empty()) callbacks_.changed(events);
}

void ListWatch::watch_ended(const http::HttpResponse& response) {
  const bool answered = response.reason == model::Reason::none || response.reason == model::Reason::too_large;
  if (response.status == 200) read_lines(response.body);
  expired_ = expired_ || (answered && response.status == 410);
  if (expired_) {
    fresh_ = true;
    timer_ = scheduler_.after(kGap, [this] { list(); });
    return;
  }
  if (!said_.empty()) return fail(response, "the watch ended: " + api_.fit(said_));
  if (answered && response.status != 200) return fail(response, api_.complaint(response));
  if (!answered && std::exchange(cut_, true)) return fail(response, api_.complaint(response));
  const bool by_list = scheduler_.now() - listed_ >= kListAgain;
  timer_ = scheduler_.after(kGap, [this, by_list] { by_list ? list() : watch(); });
}

void ListWatch::fail(const http::HttpResponse& response, const std::string& why) {
  fresh_ = http::has_status(response, 410);
  version_.clear();
  timer_ = scheduler_.after(pause_, [this] { list(); });
  pause_ = std::min(2 * pause_, kLongestPause);
  callbacks_.failed(fmt::format("GET {}: {}{}", path_, why,
                                http::has_status(response, 401) ? "; the token is not valid, or not any more"
                                : http::has_status(response, 403)
                                    ? "; a role must allow list and watch of it to the agent"
                                    : ""));
}

}  // namespace discover
