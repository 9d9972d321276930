// A set of label names and values: immutable, sorted by name in byte order, one allocation, counted by reference.
// Copies are a pointer, and so are the parts of those that joined() made; equal sets compare by hash first. Safe to
// share between threads. An empty value means "label absent", as in Prometheus: it is never stored. Names and values
// are UTF-8, always: U+FFFD stands in the place of every other byte that they are made from, for Prometheus refuses a
// whole page for one.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace model {

inline constexpr std::string_view kMetricName = "__name__";

struct Label {
  std::string_view name;
  std::string_view value;
  friend bool operator==(const Label&, const Label&) = default;
};

class Labels {
 public:
  Labels() = default;
  Labels(std::initializer_list<Label> labels);  // in any order; a name twice: the later one wins
  explicit Labels(std::vector<Label> labels);   // the same; the views need to live only during the call
  Labels(const Labels& other) noexcept;
  Labels(Labels&& other) noexcept : rep_(std::exchange(other.rep_, nullptr)) {}
  Labels& operator=(Labels other) noexcept {
    std::swap(rep_, other.rep_);
    return *this;
  }
  ~Labels();

  std::size_t size() const;
  bool empty() const { return size() == 0; }
  Label operator[](std::size_t i) const;              // i < size(), in order of names
  std::string_view get(std::string_view name) const;  // "" if absent
  bool has(std::string_view name) const { return !get(name).empty(); }
  std::string_view metric_name() const { return get(kMetricName); }
  std::uint64_t hash() const;  // of names and values; equal for equal sets
  std::size_t bytes() const;   // of memory, without what joined() shares

  Labels with(std::string_view name, std::string_view value) const;
  Labels without(std::string_view name) const;
  Labels without_metric_name() const { return without(kMetricName); }
  Labels merged(const Labels& over) const;  // `over` wins where both have a name
  // The same for sets without a common name, but both are shared where all names of `rest` sort behind those that are
  // here, as they do behind a metric name: 40 bytes for each of many series that differ in little else.
  Labels joined(const Labels& rest) const;

  // a="1",b="2": what stands between the braces of a metrics page, as it is kept anyway. Nothing where a value must be
  // escaped or there is a metric name. Lives as long as these labels.
  std::optional<std::string_view> page_text() const;

  // {a="1", b="x\"y"} with the metric name in front if there is one: the way Prometheus writes a series.
  std::string to_string() const;

  friend bool operator==(const Labels& a, const Labels& b);
  friend std::strong_ordering operator<=>(const Labels& a,
                                          const Labels& b);  // names, then values, byte order (Go labels.Compare)

  class Iterator {
   public:
    Iterator(const Labels& labels, std::size_t at) : labels_(&labels), at_(at) {}
    using value_type = Label;
    using difference_type = std::ptrdiff_t;
    using reference = Label;
    using pointer = const Label*;
    using iterator_category = std::input_iterator_tag;
    Label operator*() const { return (*labels_)[at_]; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++at_;
      return before;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }

   private:
    const Labels* labels_;
    std::size_t at_;
  };
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, size()}; }

 private:
  struct Rep;
  explicit Labels(const Rep* rep) noexcept : rep_(rep) {}  // takes over a reference
  static const Rep* make(std::vector<Label>& sorted_unique);
  const Rep* rep_ = nullptr;
};

// The value of a label as it stands between quotes: \\, \" and \n escaped.
std::string escape_label_value(std::string_view value);

struct LabelsHash {
  std::size_t operator()(const Labels& labels) const { return labels.hash(); }
};

}  // namespace model
