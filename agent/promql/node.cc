#include "promql/node.h"

#include <algorithm>

namespace promql {
namespace {

constexpr base::Millis kQuestionEvery{200};
// Of memory: a sample with the room that its vector keeps for more, and what a label set takes beside its text.
constexpr std::size_t kSampleBytes = 24;
constexpr std::size_t kLabelsBytes = 96;
// Memory of a node for each series, beside the labels: entries in tables and maps, marks, points.
constexpr std::size_t kPlaceBytes = 160;
constexpr std::size_t kReserveStep = 1024 * 1024;
constexpr std::size_t kUnasked = 64 * 1024;  // small queries are not refused while large ones hold the budget
constexpr std::size_t kFreeLabels = 16 * 1024 * 1024;
constexpr std::size_t kMostAnnotations = 1000;  // that are counted; the API shows ten

}  // namespace

std::uint32_t SeriesTable::intern(const model::Labels& labels) {
  for (std::size_t i = ids_.size(); i < labels_.size(); ++i) ids_.emplace(labels_[i], static_cast<std::uint32_t>(i));
  const auto [found, is_new] = ids_.emplace(labels, size());
  if (!is_new) return found->second;
  if (!labels.empty() && evaluation_ && !evaluation_->hold(labels)) {
    ids_.erase(found);
    return intern({});
  }
  labels_.push_back(labels);
  return found->second;
}

void SeriesTable::clear() {
  labels_.clear();
  ids_.clear();
}

model::Labels Nameless::operator()(const model::Labels& labels) const {
  model::Labels out = labels.without_metric_name();
  return v3 ? out.without("__type__").without("__unit__") : out;
}

bool Evaluation::fail(base::Kind kind, std::string text) {
  if (error.text.empty()) error = {kind, std::move(text)};
  return false;
}

bool Evaluation::hold(std::size_t more) {
  samples += more;
  if (samples > options->max_samples) return fail(base::Kind::limit, kTooManySamples);
  return reserve();
}

// The label sets of a query may take as much memory as its samples, and a little more.
bool Evaluation::hold(const model::Labels& labels) {
  label_bytes += kLabelsBytes;
  place_bytes += kPlaceBytes;
  for (const model::Label label : labels) label_bytes += label.name.size() + label.value.size();
  if (label_bytes > options->max_samples * sizeof(model::Sample) + kFreeLabels)
    return fail(base::Kind::limit, kTooManySamples);
  return reserve();
}

bool Evaluation::hold_places(std::size_t series) {
  place_bytes += series * kPlaceBytes;
  return reserve();
}

bool Evaluation::reserve() {
  if (!error.text.empty()) return false;
  const std::size_t bytes = samples * kSampleBytes + label_bytes + place_bytes;
  if (!options->reserve || bytes <= std::max(reserved, kUnasked)) return true;
  reserved = bytes + kReserveStep;
  return options->reserve(reserved) || fail(base::Kind::limit, kTooManySamples);
}

bool Evaluation::still_wanted() {
  const auto cancelled = [this] { return fail(base::Kind::cancelled, "query was canceled in expression evaluation"); };
  if (options->cancelled && options->cancelled->load(std::memory_order_relaxed)) return cancelled();
  const base::Instant now = options->now();
  if (now > deadline) return fail(base::Kind::timeout, "query timed out in expression evaluation");
  if (!options->abandoned || now < next_question) return true;
  const bool asks = next_question != base::Instant{};  // not at the first look: most queries are over before the second
  next_question = now + kQuestionEvery;
  return !asks || !options->abandoned() || cancelled();
}

void Evaluation::annotate(std::string text, std::size_t begin) {
  for (Annotation& known : *annotations)
    if (known.text == text) {
      known.begin = begin;
      return;
    }
  if (annotations->size() < kMostAnnotations) annotations->push_back({std::move(text), begin});
}

Node* Node::adopt(std::unique_ptr<Node> child) {
  if (!child) return nullptr;
  children_.push_back(std::move(child));
  return children_.back().get();
}

bool Node::prepare(Evaluation& evaluation, bool& changed) {
  return std::all_of(children_.begin(), children_.end(),
                     [&](const NodePtr& child) { return child->prepare(evaluation, changed); });
}

void Node::forget() {
  table_.clear();
  for (const NodePtr& child : children_) child->forget();
}

bool Node::begin(Evaluation& evaluation, const Steps& steps) {
  table_.count_in(evaluation);
  for (const NodePtr& child : children_)
    if (!child->begin(evaluation, steps)) return false;
  return true;
}

bool Node::vector(Evaluation& evaluation, std::int64_t, Points&) {
  return evaluation.fail("this expression is no vector");
}

bool Node::scalar(Evaluation& evaluation, std::int64_t, double&) {
  return evaluation.fail("this expression is no scalar");
}

bool check_unique(Evaluation& evaluation, Uniqueness& seen, const Points& points) {
  seen.restart();
  for (std::uint32_t i = 0; i < points.size(); ++i)
    if (!seen.claim(points[i].series, i)) return evaluation.fail(kSameLabelset);
  return true;
}

}  // namespace promql
