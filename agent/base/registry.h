// The types of one kind (probes, actions, receivers …): each a constant in a file of its own, all listed in a
// types.def. Immutable; from every thread.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace base {

// `name` is the member by which the configuration knows a type.
template <typename Type, std::string_view Type::*name>
class Registry {
 public:
  constexpr explicit Registry(std::span<const Type* const> all) : all_(all) {}

  // In the order of types.def.
  auto begin() const { return all_.begin(); }
  auto end() const { return all_.end(); }

  // Null if there is none.
  const Type* find(std::string_view wanted) const {
    const auto found = std::find_if(begin(), end(), [&](const Type* type) { return type->*name == wanted; });
    return found == end() ? nullptr : *found;
  }

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const Type* type : all_) out.emplace_back(type->*name);
    return out;
  }

  // "http, tcp, unix", for people.
  std::string list(std::string_view separator = ", ") const {
    std::string out;
    for (const Type* type : all_) (out += out.empty() ? "" : separator) += type->*name;
    return out;
  }

 private:
  std::span<const Type* const> all_;
};

}  // namespace base
