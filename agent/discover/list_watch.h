// A collection of the Kubernetes API that is kept up to date: listed, then watched from the version of the list
// (https://kubernetes.io/docs/reference/using-api/api-concepts/, "Efficient detection of changes"). A watch that ends
// goes on from the last version that it has shown, one whose version the server does not know any more (410) begins
// with a list. Bookmarks are taken, and nothing relies on them. Loop thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "encoding/json_value.h"
#include "http/json_api.h"
#include "loop/handle.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace discover {

class ListWatch {
 public:
  struct Event {
    bool gone = false;
    encoding::json object;
  };
  struct Callbacks {
    std::function<void(const std::vector<encoding::json>& objects)> listed;  // all that there are
    std::function<void(const std::vector<Event>& events)> changed;           // since then, in order
    std::function<void(const std::string& why)> failed;                      // it is tried again, later and later
  };
  // `path` of the collection, `selectors` as name=value&…, encoded. Begins in a later turn. The references outlive it.
  ListWatch(http::HttpClient& http, loop::Scheduler& scheduler, const http::JsonApi& api, std::string path,
            std::string selectors, Callbacks callbacks);
  // At once, by a list.
  void ask_anew();

 private:
  void ask(const std::string& query, base::Duration patience, std::size_t limit,
           std::function<bool(std::string_view)> enough, std::function<void(const http::HttpResponse&)> then);
  void list();
  void take_list(const http::HttpResponse& response);
  void watch();
  bool read_lines(std::string_view body);
  void deliver();
  void watch_ended(const http::HttpResponse& response);
  void fail(const http::HttpResponse& response, const std::string& why);

  http::HttpClient& http_;
  loop::Scheduler& scheduler_;
  const http::JsonApi& api_;
  std::string path_, selectors_;
  Callbacks callbacks_;
  std::string version_;        // the last that was seen
  bool fresh_ = false;         // a list must not come from the server's cache
  bool expired_ = false;       // the server does not know the version any more
  bool cut_ = false;           // the watch before was cut off without a word
  std::string said_;           // the error that the watch ended with
  std::size_t read_ = 0;       // of the body of the watch
  std::vector<Event> events_;  // not delivered yet
  base::Instant listed_{};
  base::Duration pause_;  // before the next try after a failure
  loop::Handle pending_, timer_, delivery_;
};

}  // namespace discover
