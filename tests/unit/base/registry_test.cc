#include "base/registry.h"

#include <doctest/doctest.h>

namespace {

struct Fruit {
  std::string_view name;
};

constexpr Fruit apple{"apple"}, pear{"pear"};

base::Registry<Fruit, &Fruit::name> fruits() {
  static constexpr const Fruit* all[] = {&pear, &apple};
  return base::Registry<Fruit, &Fruit::name>(all);
}

}  // namespace

TEST_CASE("a registry finds its types by name, and lists them in their order") {
  CHECK(fruits().find("apple") == &apple);
  CHECK(fruits().find("appl") == nullptr);
  CHECK(fruits().find("") == nullptr);
  CHECK(fruits().names() == std::vector<std::string>{"pear", "apple"});
  CHECK(fruits().list() == "pear, apple");
  CHECK(fruits().list(" or ") == "pear or apple");
}
