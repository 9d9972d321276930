#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/rune.h"
#include "base/text.h"
#include "promql/annotations.h"
#include "promql/parser.h"
#include "web/api/answer.h"
#include "web/routes.h"

namespace web {
namespace {

struct Window {
  std::int64_t start = 0, end = 0;
};

// Without start and end Prometheus looks at everything it has; so do we.
constexpr Window kAllTime{0, 9'000'000'000'000'000};

struct WindowOrRefusal {
  Window window;
  std::optional<Response> refused;
};

WindowOrRefusal window_of(const Request& request, promql::Compat compat) {
  const auto start = time_param(request, "start", kAllTime.start, compat);
  if (!start) return {{}, invalid_parameter("start", start.error().text)};
  const auto end = time_param(request, "end", kAllTime.end, compat);
  if (!end) return {{}, invalid_parameter("end", end.error().text)};
  return {{*start, *end}, {}};
}

// Has the query's time and no turn: pages that offer names are not to wait for queries.
class SeriesAsker final : public Asker {
 public:
  SeriesAsker(const Request& request, const Context& context)
      : request_(request), context_(context), deadline_(base::Clock::now() + context.options.engine.timeout) {}

  base::Result<> still_wanted() override {
    if (context_.stopping && context_.stopping->load())
      return base::fail(base::Kind::cancelled, "the request was canceled");
    if (base::Clock::now() >= deadline_) return base::fail(base::Kind::timeout, "the request timed out");
    if (request_.abandoned && request_.abandoned())
      return base::fail(base::Kind::cancelled, "the request was canceled");
    return {};
  }
  // The text of the labels stands in the answer once more, with quotes.
  base::Result<> admit(const Load& load) override {
    TRY(share_, context_.memory.take(load.series * kSeriesBytes + 2 * load.bytes, deadline_, request_.abandoned,
                                     context_.stopping));
    return {};
  }
  AnswerMemory::Share take_share() { return std::move(share_); }

 private:
  static constexpr std::size_t kSeriesBytes = 128;
  const Request& request_;
  const Context& context_;
  base::Instant deadline_;
  AnswerMemory::Share share_;
};

using MatcherSets = std::vector<std::vector<model::Matcher>>;

base::Result<MatcherSets> matchers_of(const Request& request, const Context& context) {
  MatcherSets sets;
  const auto all_empty = base::fail(base::Kind::invalid, "match[] must contain at least one non-empty matcher");
  for (const std::string& text : request.all_params("match[]")) {
    auto matchers = promql::parse_matchers(text, context.options.engine.compat);
    // The parser says it of expressions in other words than Prometheus says it of this parameter.
    if (!matchers && matchers.error().text.ends_with("must contain at least one non-empty matcher")) return all_empty;
    if (!matchers) return tl::unexpected<base::Error>(matchers.error());
    if (std::all_of(matchers->begin(), matchers->end(), [](const model::Matcher& m) { return m.matches_empty(); }))
      return all_empty;
    sets.push_back(*std::move(matchers));
  }
  return sets;
}

// The label sets of all series that one of the selectors matches in the window, sorted, each once.
base::Result<std::vector<model::Labels>> find(const MatcherSets& sets, const Window& window, SeriesAsker& asker,
                                              const Context& context) {
  TRY(std::vector<model::Labels> found, context.backend.select_series(sets, window.start, window.end, asker));
  std::sort(found.begin(), found.end());
  return found;
}

// The series that a request without or with match[] is about; a Response if there is a mistake in it.
struct Selected {
  std::vector<model::Labels> series;
  std::optional<Response> refused;
  AnswerMemory::Share share{};
};

enum class Selector { required, optional };

Selected select(const Request& request, Selector selector, const Context& context) {
  WindowOrRefusal window = window_of(request, context.options.engine.compat);
  if (window.refused) return {{}, std::move(window.refused)};
  auto sets = matchers_of(request, context);
  // Where it is optional, Prometheus does not name the parameter.
  if (!sets && selector == Selector::optional) return {{}, api_error(ErrorType::bad_data, sets.error().text)};
  if (!sets) return {{}, invalid_parameter("match[]", sets.error().text)};
  if (sets->empty() && selector == Selector::required)
    return {{}, api_error(ErrorType::bad_data, "no match[] parameter provided")};
  if (sets->empty()) sets->emplace_back();
  SeriesAsker asker(request, context);
  auto found = find(*sets, window.window, asker, context);
  if (!found) return {{}, api_error(found.error())};
  return {*std::move(found), {}, asker.take_share()};
}

// Writes at most `limit` of `all`, and says so if that is fewer.
template <typename All, typename Write>
Response list_answer(const All& all, std::size_t limit, Write write) {
  promql::Annotations annotations;
  if (all.size() > limit) annotations.warnings.emplace_back(kTruncated);
  return api_success(
      [&](encoding::Json& json) {
        json.array([&] {
          std::size_t left = limit;
          for (const auto& each : all)
            if (left-- > 0) write(each, json);
            else break;
        });
      },
      annotations);
}

Response names_answer(const std::set<std::string>& names, std::size_t limit) {
  return list_answer(names, limit, [](const std::string& name, encoding::Json& json) { json.string(name); });
}

bool valid_label_name(std::string_view name, promql::Compat compat) {
  if (compat == promql::Compat::v3) return !name.empty() && base::valid_utf8_prefix(name) == name.size();
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// How Prometheus 3 writes names of UTF-8 in URLs: U__svc_2e_name is svc.name. What is none of these stays as it is.
std::string unescaped(const std::string& name) {
  if (!name.starts_with("U__")) return name;
  std::string out;
  for (std::size_t at = 3; at < name.size();) {
    if (name[at] != '_') {
      out += name[at++];
      continue;
    }
    const std::size_t end = name.find('_', at + 1);
    if (end == std::string::npos) return name;
    std::uint32_t rune = '_';
    const auto [stop, error] = std::from_chars(name.data() + at + 1, name.data() + end, rune, 16);
    if (end > at + 1 && (error != std::errc{} || stop != name.data() + end || rune > 0x10ffff)) return name;
    base::append_rune(out, rune);
    at = end + 1;
  }
  return out;
}

}  // namespace

Response api_series(const Request& request, const Context& context) {
  const auto limit = limit_param(request);
  if (!limit && context.options.engine.compat == promql::Compat::v3)  // 2.42 knows no limit
    return invalid_parameter("limit", limit.error().text);
  Selected selected = select(request, Selector::required, context);
  if (selected.refused) return *std::move(selected.refused);
  Response response = list_answer(selected.series, limit.value_or(~std::size_t{0}),
                                  [](const model::Labels& labels, encoding::Json& json) { json.labels(labels); });
  response.share = std::move(selected.share);
  return response;
}

Response api_label_names(const Request& request, const Context& context) {
  const auto limit = limit_param(request);
  if (!limit && context.options.engine.compat == promql::Compat::v3)  // 2.42 knows no limit
    return invalid_parameter("limit", limit.error().text);
  Selected selected = select(request, Selector::optional, context);
  if (selected.refused) return *std::move(selected.refused);
  std::set<std::string> names;
  for (const model::Labels& labels : selected.series)
    for (const model::Label label : labels) names.emplace(label.name);
  return names_answer(names, limit.value_or(~std::size_t{0}));
}

Response api_label_values(const Request& request, const Context& context) {
  const promql::Compat compat = context.options.engine.compat;
  const std::string label = compat == promql::Compat::v3 ? unescaped(request.argument) : request.argument;
  if (!valid_label_name(label, compat))
    return api_error(ErrorType::bad_data, fmt::format("invalid label name: \"{}\"", label));
  const auto limit = limit_param(request);
  if (!limit && context.options.engine.compat == promql::Compat::v3)  // 2.42 knows no limit
    return invalid_parameter("limit", limit.error().text);
  Selected selected = select(request, Selector::optional, context);
  if (selected.refused) return *std::move(selected.refused);
  std::set<std::string> values;
  for (const model::Labels& labels : selected.series)
    if (labels.has(label)) values.emplace(labels.get(label));
  return names_answer(values, limit.value_or(~std::size_t{0}));
}

}  // namespace web
