#include "encoding/escaped_name.h"

#include <doctest/doctest.h>

TEST_CASE("a character that no label may have is one _, however many bytes it has") {
  struct Row {
    const char* name;
    const char* label;    // behind a prefix
    const char* escaped;  // by itself
  };
  for (const Row& row : {Row{"app.kubernetes.io/name", "app_kubernetes_io_name", "app_kubernetes_io_name"},
                         Row{"größe", "gr__e", "gr__e"}, Row{"店.7", "__7", "__7"}, Row{"7up", "7up", "_up"},
                         Row{"a:b c", "a_b_c", "a_b_c"}, Row{"", "", ""}}) {
    CAPTURE(row.name);
    CHECK(encoding::as_label_name(row.name) == row.label);
    CHECK(encoding::escaped_label_name(row.name) == row.escaped);
  }
}
