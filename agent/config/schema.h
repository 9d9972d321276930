// Declares a configuration struct once: parsing, defaults (the member initialisers), unknown and duplicate keys,
// "did you mean", and the reference page all come from it. Example:
//
//   const auto& tcp_schema() {
//     static const auto s = config::Schema<TcpSettings>("tcp")
//         .required("host", &TcpSettings::host, "Name or address to connect to.")
//         .optional("tls_config", &TcpSettings::tls, tls_schema(), "TLS to speak after connecting.")
//         .check([](const TcpSettings& s, const config::Complain& complain) { if (…) complain("port", "must be …"); });
//     return s;
//   }
//
// Every value has an Exposure, which parse() writes to the Node: numbers, times, choices and labels are shown on pages;
// text is shown if its key is known as harmless (public_keys.cc) or the schema says so (shows()), else withheld.
//
// parse() reports every mistake it finds to Errors and goes on; the value is usable only if no mistake was added.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "config/foreign.h"
#include "config/node.h"
#include "config/scalar.h"

namespace config {

// Adds a mistake at the value of `key` (at the mapping itself when the key is absent or "").
using Complain = std::function<void(std::string_view key, std::string_view what)>;

// One documented key, as the reference page shows it.
struct KeyReference {
  std::string key;
  std::string help;
  std::string fallback;  // "" for a required key
  bool required = false;
  std::vector<KeyReference> inner{};       // keys of a nested mapping or of a list's items
  Reach reach = Reach::file;               // from how far away it may be set
  ValueFormat format = ValueFormat::word;  // and what a text that comes from there must be like
  Exposure exposure = Exposure::unknown;
};

// Marks the values of a mapping that no schema parses as it stands (a template, a module of another program) as the
// schema of these keys would.
void expose_as(const Node& mapping, const std::vector<KeyReference>& keys);
void expose_as(const Node& value, const KeyReference& key);  // the same for the value of one key

// Whether text under a key of this name may be shown, whatever has the key.
bool is_public_key(std::string_view key);

// The part of Schema that does not depend on T: matching keys, complaining, suggesting. In schema.cc.
namespace detail {
// Types whose values are never secrets.
template <typename F>
inline constexpr bool kHarmless =
    std::is_arithmetic_v<F> || std::is_enum_v<F> || std::is_same_v<F, base::Millis> || std::is_same_v<F, model::Labels>;
template <typename F>
inline constexpr bool kHarmless<std::optional<F>> = kHarmless<F>;
template <typename F>
inline constexpr bool kHarmless<std::vector<F>> = kHarmless<F>;
template <typename F>
Exposure exposure_of(const char* key) {
  if constexpr (kHarmless<F>) return Exposure::shown;
  else if constexpr (std::is_same_v<F, base::Secret>) return Exposure::withheld;
  else if constexpr (std::is_same_v<F, Node> || std::is_same_v<F, std::vector<Node>>) return Exposure::unknown;
  else return is_public_key(key) ? Exposure::shown : Exposure::withheld;
}

struct KeySpec {
  std::string key;
  bool required = false;
};
enum class OtherKeys { mistakes, left_alone };
// Keys that people know from elsewhere and that are not offered, with what to write in their place.
using RefusedKeys = std::map<std::string, std::string, std::less<>>;
// Calls visit(index of the spec, value node) for each known key once; reports the rest. False if not a mapping.
bool visit_mapping(const Node& node, const std::vector<KeySpec>& keys, const std::string& path, Errors& errors,
                   const std::function<void(std::size_t, const Node&)>& visit, OtherKeys others = OtherKeys::mistakes,
                   const RefusedKeys& refused = {});
std::string join_path(const std::string& path, std::string_view key);
void complain_at(const Node& mapping, const std::string& path, Errors& errors, std::string_view key,
                 std::string_view what);
}  // namespace detail

template <typename T>
class Schema {
 public:
  explicit Schema(std::string name) : name_(std::move(name)) {}

  template <typename F>
  Schema& required(const char* key, F T::*member, const char* help) {
    add(key, help, "", true, scalar_reader(member), detail::exposure_of<F>(key));
    return kIsNumber<F> ? reach(Reach::listed) : *this;
  }
  // Optional scalars, lists and maps of scalars; the default is the member's initialiser.
  template <typename F>
  Schema& optional(const char* key, F T::*member, const char* help) {
    using config::show;
    add(key, help, show(T{}.*member), false, scalar_reader(member), detail::exposure_of<F>(key));
    return kIsNumber<F> ? reach(Reach::listed) : *this;
  }
  // Of the key before it: from where else than the configuration file it may be set, and where its value goes. Without
  // a word a number, a duration or a yes/no is Reach::listed, all else is Reach::file: what is new is closed.
  Schema& reach(Reach reach, ValueFormat format = ValueFormat::word) {
    reference_.back().reach = reach;
    reference_.back().format = format;
    return *this;
  }
  // Of the key before it: what its absence means, where the initialiser does not say it.
  Schema& fallback(const char* text) {
    reference_.back().fallback = text;
    return *this;
  }
  // A nested mapping with a schema of its own.
  template <typename F>
  Schema& optional(const char* key, F T::*member, const Schema<F>& inner, const char* help) {
    return add(
        key, help, "see below", false,
        [member, &inner](const Node& n, T& t, const std::string& path, Errors& errors) {
          t.*member = inner.parse(n, path, errors);
        },
        Exposure::unknown, inner.reference());
  }
  template <typename F>
  Schema& optional(const char* key, std::optional<F> T::*member, const Schema<F>& inner, const char* help) {
    return add(
        key, help, "none", false,
        [member, &inner](const Node& n, T& t, const std::string& path, Errors& errors) {
          t.*member = inner.parse(n, path, errors);
        },
        Exposure::unknown, inner.reference());
  }
  // A list of mappings, or a mapping of names to mappings, each with the inner schema.
  template <typename F>
  Schema& list(const char* key, std::vector<F> T::*member, const Schema<F>& inner, const char* help) {
    return add(
        key, help, "[]", false,
        [member, &inner](const Node& n, T& t, const std::string& path, Errors& errors) {
          if (!n.is_sequence()) return errors.add(n.mark(), path, expected("a list", n));
          std::size_t i = 0;
          for (const Node& item : n.items())
            (t.*member).push_back(inner.parse(item, path + "[" + std::to_string(i++) + "]", errors));
        },
        Exposure::unknown, inner.reference());
  }
  template <typename F>
  Schema& named(const char* key, std::vector<std::pair<std::string, F>> T::*member, const Schema<F>& inner,
                const char* help) {
    return add(
        key, help, "{}", false,
        [member, &inner](const Node& n, T& t, const std::string& path, Errors& errors) {
          if (!n.is_mapping()) return errors.add(n.mark(), path, expected("a mapping", n));
          for (const auto& [name, value] : n.entries())
            (t.*member).emplace_back(name.scalar(), inner.parse(value, detail::join_path(path, name.scalar()), errors));
        },
        Exposure::unknown, inner.reference());
  }
  // The keys of another schema in this mapping itself, with their rules: what several schemas have in common. `member`
  // may be one of a base of T.
  template <typename F>
  Schema& inlined(F T::*member, const Schema<F>& inner) {
    specs_.insert(specs_.end(), inner.specs_.begin(), inner.specs_.end());
    reference_.insert(reference_.end(), inner.reference_.begin(), inner.reference_.end());
    for (const auto& reader : inner.readers_)
      readers_.push_back([member, reader](const Node& n, T& t, const std::string& path, Errors& errors) {
        reader(n, t.*member, path, errors);
      });
    refused_.insert(inner.refused_.begin(), inner.refused_.end());
    for (const auto& rule : inner.rules_)
      rules_.push_back([member, rule](const T& t, const Complain& complain) { rule(t.*member, complain); });
    return *this;
  }
  // Anything else: `reader` gets the value, the path, the Errors.
  using Reader = std::function<void(const Node&, T&, const std::string& path, Errors&)>;
  Schema& custom(const char* key, const char* help, const char* fallback, Reader reader) {
    return add(key, help, fallback, false, std::move(reader), detail::exposure_of<std::string>(key));
  }
  // A list whose items another module parses, later: `take` has each with its place in the list.
  Schema& items(const std::string& key, const std::string& help,
                std::function<void(T&, const Node& item, std::size_t at)> take) {
    return add(
        key, help, "[]", false,
        [take = std::move(take)](const Node& n, T& t, const std::string& path, Errors& errors) {
          if (!n.is_sequence()) {
            n.expose_rest(Exposure::withheld);
            return errors.add(n.mark(), path, expected("a list", n));
          }
          std::size_t at = 0;
          for (const Node& item : n.items()) take(t, item, at++);
        },
        Exposure::unknown);
  }
  // The keys of another schema may stand in the same mapping. This one knows and documents them; the other one reads
  // them, with parse_beside().
  template <typename Other>
  Schema& beside(const Schema<Other>& other) {
    for (const KeyReference& key : other.reference()) {
      specs_.push_back({key.key, false});
      readers_.push_back([](const Node&, T&, const std::string&, Errors&) {});
      reference_.push_back(key);
    }
    return *this;
  }
  // A key that people know from elsewhere and that is not offered. `instead` says what to write in its place.
  Schema& refuses(const char* key, const char* instead) {
    refused_.emplace(key, instead);
    return *this;
  }
  // Texts that are public although other schemas have secret keys of these names.
  Schema& shows(std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys) expose(key, Exposure::shown);
    return *this;
  }
  // Texts that may be secret although other schemas have public keys of these names.
  Schema& withholds(std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys) expose(key, Exposure::withheld);
    return *this;
  }
  // URLs whose path is a secret.
  Schema& shows_origin(std::string_view key) {
    expose(key, Exposure::origin);
    return *this;
  }
  // Where the mapping itself stands, for messages made later.
  Schema& place(Node T::*member) {
    place_ = [member](T& t, const Node& node) { t.*member = node; };
    return *this;
  }
  // Rules between keys; run only if the mapping had no mistake of its own.
  Schema& check(std::function<void(const T&, const Complain&)> rule) {
    rules_.push_back(std::move(rule));
    return *this;
  }

  T parse(const Node& node, const std::string& path, Errors& errors) const {
    return parse(node, detail::OtherKeys::mistakes, path, errors);
  }
  // The same, or one word in the place of the mapping: the value of `member`, with all else as it is without a key.
  T parse_or_word(const Node& node, std::string T::*member, const std::string& path, Errors& errors) const {
    if (node.is_mapping()) return parse(node, path, errors);
    T out{};
    out.*member = node.scalar();
    return out;
  }
  // What a type makes of its settings; null if they have a mistake.
  template <typename Made>
  std::unique_ptr<const Made> make(const Node& node, const std::string& path, Errors& errors) const {
    const std::size_t before = errors.size();
    T settings = parse(node, path, errors);
    return errors.size() > before ? nullptr : std::make_unique<const Made>(std::move(settings));
  }
  // Its own keys of a mapping whose other keys a schema reads that has this one beside it.
  // `defaults` stands in the place of the member initialisers.
  T parse_beside(const Node& node, const std::string& path, Errors& errors, T defaults = {}) const {
    return parse(node, detail::OtherKeys::left_alone, path, errors, std::move(defaults));
  }

  const std::string& name() const { return name_; }
  const std::vector<KeyReference>& reference() const { return reference_; }

 private:
  template <typename>
  friend class Schema;

  template <typename F>
  static constexpr bool kIsNumber = std::is_arithmetic_v<F> || std::is_same_v<F, base::Millis>;

  T parse(const Node& node, detail::OtherKeys others, const std::string& path, Errors& errors, T out = {}) const {
    if (place_) place_(out, node);
    const std::size_t before = errors.size();
    const auto read_value = [&](std::size_t i, const Node& value) {
      const Exposure exposure = reference_[i].exposure;
      if (exposure == Exposure::shown || exposure == Exposure::origin) value.expose(exposure);
      readers_[i](value, out, detail::join_path(path, specs_[i].key), errors);
      // What a reader of its own has shown of its parts stays shown; a word in the place of a mapping is somebody's
      // slip.
      if (exposure == Exposure::withheld || (value.is_scalar() && !reference_[i].inner.empty()))
        value.expose_rest(Exposure::withheld);
    };
    const bool is_mapping = detail::visit_mapping(node, specs_, path, errors, read_value, others, refused_);
    if (is_mapping && errors.size() == before)
      for (const auto& rule : rules_)
        rule(out,
             [&](std::string_view key, std::string_view what) { detail::complain_at(node, path, errors, key, what); });
    return out;
  }

  template <typename F>
  static Reader scalar_reader(F T::*member) {
    return [member](const Node& node, T& t, const std::string& path, Errors& errors) {
      using config::read;
      std::string why;
      F value{};
      if (read(node, value, why)) t.*member = std::move(value);
      else errors.add(node.mark(), path, why);
    };
  }
  Schema& add(const std::string& key, const std::string& help, std::string fallback, bool is_required, Reader reader,
              Exposure exposure, std::vector<KeyReference> inner = {}) {
    specs_.push_back({key, is_required});
    readers_.push_back(std::move(reader));
    reference_.push_back({.key = key,
                          .help = help,
                          .fallback = std::move(fallback),
                          .required = is_required,
                          .inner = std::move(inner),
                          .exposure = exposure});
    return *this;
  }

  void expose(std::string_view key, Exposure exposure) {
    for (KeyReference& reference : reference_)
      if (reference.key == key) reference.exposure = exposure;
  }

  std::string name_;
  std::vector<detail::KeySpec> specs_;
  detail::RefusedKeys refused_;
  std::vector<Reader> readers_;
  std::vector<KeyReference> reference_;
  std::vector<std::function<void(const T&, const Complain&)>> rules_;
  std::function<void(T&, const Node&)> place_;
};

}  // namespace config
