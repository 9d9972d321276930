// The clock and the calendar, always in UTC.
#include <chrono>
#include <cmath>

#include "promql/compile.h"
#include "promql/functions/elementwise.h"
#include "promql/selector.h"

namespace promql {
namespace {

using Args = std::array<double, 2>;

constexpr std::int64_t kDaySeconds = 86'400;

// Seconds since the epoch as Go converts them on amd64: what does not fit becomes the least integer.
std::int64_t whole_seconds(double v) {
  if (!(v > -9223372036854775808.0 && v < 9223372036854775808.0)) return INT64_MIN;
  return static_cast<std::int64_t>(v);
}

struct Date {
  std::int64_t year;
  int month;
  int day;
  int day_of_year;
  int day_of_week;
  bool leap;
};

bool is_leap(std::int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

constexpr int kDaysBefore[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

int days_before(int month, bool leap) { return kDaysBefore[month] + (leap && month >= 2 ? 1 : 0); }

// std::chrono's calendar ends at the year 32767 and Go's does not. Go counts unsigned seconds from the year
// -292277022399, which wraps around for the odd values that NaN and infinities become.
Date date_of(double v) {
  constexpr std::uint64_t kEpochAbsolute = 62'135'596'800u + 9'223'371'966'579'724'800u;
  constexpr std::int64_t kFirstYear = -292'277'022'399;
  std::uint64_t days = (static_cast<std::uint64_t>(whole_seconds(v)) + kEpochAbsolute) / kDaySeconds;
  Date date{};
  date.day_of_week = static_cast<int>((days + 1) % 7);  // that first year began on a Monday
  std::uint64_t years = 400 * (days / 146'097);
  days %= 146'097;
  std::uint64_t n = days / 36'524;
  n -= n >> 2;
  years += 100 * n;
  days -= 36'524 * n;
  n = days / 1461;
  years += 4 * n;
  days -= 1461 * n;
  n = days / 365;
  n -= n >> 2;
  years += n;
  days -= 365 * n;
  date.year = static_cast<std::int64_t>(years) + kFirstYear;
  date.leap = is_leap(date.year);
  date.day_of_year = static_cast<int>(days) + 1;
  while (days_before(date.month + 1, date.leap) <= static_cast<int>(days)) ++date.month;
  date.day = static_cast<int>(days) - days_before(date.month, date.leap) + 1;
  ++date.month;
  return date;
}

std::int64_t second_of_day(double v) {
  constexpr std::uint64_t kShift = 62'135'596'800u + 9'223'371'966'579'724'800u;
  return static_cast<std::int64_t>((static_cast<std::uint64_t>(whole_seconds(v)) + kShift) % kDaySeconds);
}

double year(double v, const Args&) { return static_cast<double>(date_of(v).year); }
double month(double v, const Args&) { return date_of(v).month; }
double day_of_month(double v, const Args&) { return date_of(v).day; }
double day_of_week(double v, const Args&) { return date_of(v).day_of_week; }
double day_of_year(double v, const Args&) { return date_of(v).day_of_year; }
double hour(double v, const Args&) { return static_cast<double>(second_of_day(v) / 3600); }
double minute(double v, const Args&) { return static_cast<double>(second_of_day(v) / 60 % 60); }
double days_in_month(double v, const Args&) {
  const Date date = date_of(v);
  return days_before(date.month, date.leap) - days_before(date.month - 1, date.leap);
}

struct DateFunction {
  std::string_view name;
  ElementFunction function;
};
constexpr DateFunction kFunctions[] = {
    {"year", year},
    {"month", month},
    {"day_of_month", day_of_month},
    {"day_of_week", day_of_week},
    {"day_of_year", day_of_year},
    {"days_in_month", days_in_month},
    {"hour", hour},
    {"minute", minute},
};

class Time final : public Node {
 public:
  bool scalar(Evaluation&, std::int64_t t, double& out) override {
    out = static_cast<double>(t) / 1e3;
    return true;
  }
};

// The evaluation time as a vector of one element without labels.
class TimeVector final : public Node {
 public:
  bool vector(Evaluation&, std::int64_t t, Points& out) override {
    out.clear();
    out.push_back({table_.intern({}), static_cast<double>(t) / 1e3});
    return true;
  }
};

// timestamp() of anything but a selector: the evaluation time for every element.
class Timestamp final : public Node {
 public:
  explicit Timestamp(NodePtr inner) : inner_(adopt(std::move(inner))) {}
  void forget() override {
    Node::forget();
    unnamed_.clear();
  }
  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override {
    if (!inner_->vector(evaluation, t, in_)) return false;
    out.clear();
    for (const Point& point : in_)
      out.push_back({unnamed_.at(point.series, inner_->series(), table_, Nameless{evaluation.v3()}),
                     static_cast<double>(t) / 1e3});
    return !unnamed_.merges(table_) || check_unique(evaluation, seen_, out);
  }

 private:
  Node* inner_;
  Points in_;
  SeriesMap unnamed_;
  Uniqueness seen_;
};

}  // namespace

NodePtr make_time_call(const CallExpr& expr) {
  const std::string_view name = expr.function->name;
  if (name == "time") return std::make_unique<Time>();
  if (name == "timestamp") {
    const Expr& arg = unwrapped(*expr.args[0]);
    if (arg.kind == Expr::Kind::selector)
      return std::make_unique<SelectorNode>(as<SelectorExpr>(arg), SelectorNode::Yields::timestamp);
    return std::make_unique<Timestamp>(compile(arg));
  }
  for (const DateFunction& date : kFunctions)
    if (date.name == name)
      return make_elementwise(date.function,
                              expr.args.empty() ? std::make_unique<TimeVector>() : compile(*expr.args[0]));
  return nullptr;
}

}  // namespace promql
