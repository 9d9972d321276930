#include "model/labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <new>

#include "base/hash.h"
#include "base/text.h"
#include "model/annotations.h"

namespace model {

constexpr std::uint32_t kAfterName = 2;   // ="
constexpr std::uint32_t kAfterValue = 2;  // ",

// One block: this header, and behind it either `count` places and that of the end, then all names and values,
// a="1",b="2", as they stand on a metrics page; or, of a set that is joined, its two parts, which are not.
struct Labels::Rep {
  struct Place {
    std::uint32_t name, value;  // of the end: what would be the next name, if there was one
  };
  struct Parts {
    Labels first, rest;
  };
  mutable std::atomic<std::uint32_t> references;
  std::uint32_t count : 30;
  std::uint32_t is_page_text : 1;  // nothing is to be escaped, and there is no metric name
  std::uint32_t is_joined : 1;
  std::uint64_t hash;

  const Parts& parts() const { return *reinterpret_cast<const Parts*>(this + 1); }
  const Place* places() const { return reinterpret_cast<const Place*>(this + 1); }
  const char* text() const { return reinterpret_cast<const char*>(places() + count + 1); }
  Label at(std::size_t i) const {
    if (is_joined) {
      const std::size_t before = parts().first.rep_->count;
      return i < before ? parts().first.rep_->at(i) : parts().rest.rep_->at(i - before);
    }
    const Place& here = places()[i];
    const std::size_t size = places()[i + 1].name - kAfterValue - here.value;
    return {{text() + here.name, here.value - here.name - kAfterName},
            size > 0 ? std::string_view{text() + here.value, size} : kEmptyText};
  }
};

namespace {

// Prometheus' fingerprint: name 0xff value 0xff, and so on.
std::uint64_t hashed(std::string_view part, std::uint64_t hash) { return base::fnv1a("\xff", base::fnv1a(part, hash)); }

bool is_escaped(std::string_view value) {
  const auto has = [&](char c) { return value.find(c) != std::string_view::npos; };
  return has('\\') || has('"') || has('\n');
}

// Sorted by name, empty values gone, the later of two equal names kept.
void normalise(std::vector<Label>& labels) {
  std::stable_sort(labels.begin(), labels.end(), [](const Label& a, const Label& b) { return a.name < b.name; });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const bool overridden = i + 1 < labels.size() && labels[i + 1].name == labels[i].name;
    const bool absent = labels[i].value.empty() && labels[i].value.data() != kEmptyText.data();
    if (!overridden && !absent) labels[kept++] = labels[i];
  }
  labels.resize(kept);
}

// Makes UTF-8 of what is none. The new texts stand in `repaired`, which must not move them.
void repair(std::vector<Label>& labels, std::deque<std::string>& repaired) {
  for (Label& label : labels)
    for (std::string_view* part : {&label.name, &label.value})
      if (base::valid_utf8_prefix(*part) < part->size()) *part = repaired.emplace_back(base::valid_utf8(*part));
}

}  // namespace

const Labels::Rep* Labels::make(std::vector<Label>& sorted_unique) {
  if (sorted_unique.empty()) return nullptr;
  std::size_t characters = 0;
  for (const Label& label : sorted_unique)
    characters += label.name.size() + label.value.size() + kAfterName + kAfterValue;
  void* block = ::operator new(sizeof(Rep) + (sorted_unique.size() + 1) * sizeof(Rep::Place) + characters);
  Rep* rep = new (block) Rep{1, static_cast<std::uint32_t>(sorted_unique.size()) & 0x3fffffff, 1, 0, 0};
  auto* place = reinterpret_cast<Rep::Place*>(rep + 1);
  char* const text = reinterpret_cast<char*>(place + rep->count + 1);
  std::uint32_t at = 0;
  std::uint64_t hash = base::kFnvOffset;
  const auto put = [&](std::string_view part) {
    if (!part.empty()) std::memcpy(text + at, part.data(), part.size());
    at += static_cast<std::uint32_t>(part.size());
  };
  const auto put_hashed = [&](std::string_view part) {
    put(part);
    hash = hashed(part, hash);
  };
  for (const Label& label : sorted_unique) {
    if (label.name == kMetricName || is_escaped(label.value)) rep->is_page_text = 0;
    place->name = at;
    put_hashed(label.name);
    put("=\"");
    place->value = at;
    put_hashed(label.value);
    put("\",");
    ++place;
  }
  *place = {at, at};
  rep->hash = hash;
  return rep;
}

Labels::Labels(std::initializer_list<Label> labels) : Labels(std::vector<Label>(labels)) {}

Labels::Labels(std::vector<Label> labels) {
  std::deque<std::string> repaired;
  repair(labels, repaired);
  normalise(labels);
  rep_ = make(labels);
}

Labels::Labels(const Labels& other) noexcept : rep_(other.rep_) {
  if (rep_) rep_->references.fetch_add(1, std::memory_order_relaxed);
}

Labels::~Labels() {
  if (!rep_ || rep_->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (rep_->is_joined) rep_->parts().~Parts();
  rep_->~Rep();
  ::operator delete(const_cast<Rep*>(rep_));
}

std::size_t Labels::size() const { return rep_ ? rep_->count : 0; }
Label Labels::operator[](std::size_t i) const { return rep_->at(i); }
std::uint64_t Labels::hash() const { return rep_ ? rep_->hash : base::kFnvOffset; }

std::size_t Labels::bytes() const {
  if (!rep_) return 0;
  if (rep_->is_joined) return sizeof(Rep) + sizeof(Rep::Parts);
  return sizeof(Rep) + (rep_->count + 1) * sizeof(Rep::Place) + rep_->places()[rep_->count].name;
}

std::string_view Labels::get(std::string_view name) const {
  // Sets are small (about ten labels): a scan beats a binary search.
  for (std::size_t i = 0; i < size(); ++i) {
    const Label label = rep_->at(i);
    if (label.name == name) return label.value;
  }
  return {};
}

Labels Labels::with(std::string_view name, std::string_view value) const {
  std::vector<Label> labels(begin(), end());
  labels.push_back({name, value});
  return Labels(std::move(labels));
}

Labels Labels::without(std::string_view name) const {
  if (!has(name)) return *this;
  if (rep_->is_joined && rep_->parts().first.size() == 1 && rep_->at(0).name == name) return rep_->parts().rest;
  std::vector<Label> labels;
  labels.reserve(size());
  for (const Label label : *this)
    if (label.name != name) labels.push_back(label);
  return Labels(std::move(labels));
}

Labels Labels::merged(const Labels& over) const {
  std::vector<Label> labels(begin(), end());
  labels.insert(labels.end(), over.begin(), over.end());
  return Labels(std::move(labels));
}

Labels Labels::joined(const Labels& rest) const {
  if (empty()) return rest;
  if (rest.empty()) return *this;
  if (rep_->is_joined || rest.rep_->is_joined || !((*this)[size() - 1].name < rest[0].name)) return merged(rest);
  void* block = ::operator new(sizeof(Rep) + sizeof(Rep::Parts));
  Rep* rep = new (block) Rep{1, static_cast<std::uint32_t>(size() + rest.size()) & 0x3fffffff, 0, 1, hash()};
  new (rep + 1) Rep::Parts{*this, rest};
  for (const Label label : rest) rep->hash = hashed(label.value, hashed(label.name, rep->hash));
  return Labels(static_cast<const Rep*>(rep));
}

std::optional<std::string_view> Labels::page_text() const {
  if (!rep_) return "";
  if (!rep_->is_page_text) return std::nullopt;
  return std::string_view(rep_->text(), rep_->places()[rep_->count].name - 1);  // without the last comma
}

std::string Labels::to_string() const {
  std::string out(metric_name());
  std::string inside;
  for (const Label label : *this) {
    if (label.name == kMetricName) continue;
    fmt::format_to(std::back_inserter(inside), "{}{}=\"{}\"", inside.empty() ? "" : ", ", label.name,
                   escape_label_value(label.value));
  }
  if (!inside.empty() || out.empty()) out += '{' + inside + '}';
  return out;
}

bool operator==(const Labels& a, const Labels& b) {
  if (a.rep_ == b.rep_) return true;
  if (a.hash() != b.hash() || a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(a[i] == b[i])) return false;
  return true;
}

std::strong_ordering operator<=>(const Labels& a, const Labels& b) {
  const std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (const auto order = a[i].name <=> b[i].name; order != 0) return order;
    if (const auto order = a[i].value <=> b[i].value; order != 0) return order;
  }
  return a.size() <=> b.size();
}

std::string escape_label_value(std::string_view value) {
  std::string out;
  out.reserve(value.size());
  for (const char c : value) {
    if (c == '\\') out += "\\\\";
    else if (c == '"') out += "\\\"";
    else if (c == '\n') out += "\\n";
    else out += c;
  }
  return out;
}

}  // namespace model
