#include "model/node_change.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using model::ChangeKind;
using model::FileStamp;
using model::NodeChange;

namespace {

base::WallTime at(std::int64_t s) { return base::wall_from_ms(1'800'000'000'000 + s * 1000); }

FileStamp file(const std::string& path, std::int64_t modified, std::int64_t changed, std::uint64_t inode = 1) {
  return {path, ChangeKind::configuration, modified, 10, inode, at(changed), true};
}

std::vector<std::string> said(const std::vector<NodeChange>& changes) {
  std::vector<std::string> out;
  for (const NodeChange& each : changes) out.push_back(each.what);
  return out;
}

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("a file was changed when its time, size or number are others, or it is gone, or it is new") {
  const std::vector<FileStamp> before{file("/a", 1, 1), file("/b", 1, 1), file("/c", 1, 1), file("/d", 1, 1)};
  FileStamp gone{"/c", ChangeKind::configuration};
  const std::vector<FileStamp> after{file("/a", 1, 1),     file("/b", 2, 50),   gone,
                                     file("/d", 1, 60, 2), file("/new", 9, 55), file("/old", 9, 5)};
  const auto found = model::changes_between("order", before, after, at(40), at(70));
  CHECK(said(found) == Words{"/b", "/c was removed", "/d", "/new"});
  CHECK(found[0].at == at(50));
  CHECK(found[1].at == at(70));  // the time of the change is not known
  CHECK(found[2].at == at(60));
  // A file from a node whose clock is ahead has no time that could be believed.
  CHECK(model::changes_between("order", before, {file("/b", 2, 500)}, at(40), at(70)).at(0).at == at(70));
}

TEST_CASE("what was deployed lately is the service's own unit, program or configuration, of one hour") {
  const std::vector<NodeChange> changes{
      {at(-4000), "order", ChangeKind::unit, "/old"},         {at(20), "order", ChangeKind::program, "/usr/bin/order"},
      {at(30), "order", ChangeKind::certificate, "https"},    {at(40), "other", ChangeKind::program, "/usr/bin/other"},
      {at(10), "order", ChangeKind::configuration, "/older"}, {at(50), "", ChangeKind::package, "upgrade openssl"}};
  CHECK(model::recent_change(changes, "order", at(60)).value().what == "/usr/bin/order");
  CHECK(model::recent_change(changes, "order", at(3620)).has_value());
  CHECK_FALSE(model::recent_change(changes, "order", at(3621)).has_value());
  CHECK_FALSE(model::recent_change(changes, "redis", at(60)).has_value());
}

TEST_CASE("own files are suspected first, then those of dependencies, then the node; others and old ones never") {
  const std::vector<NodeChange> changes{
      {at(-4000), "order", ChangeKind::configuration, "/old"},
      {at(10), "", ChangeKind::package, "upgrade libc6"},
      {at(20), "order", ChangeKind::configuration, "/etc/order.yml"},
      {at(30), "db", ChangeKind::configuration, "/etc/db.conf"},
      {at(40), "other", ChangeKind::program, "/usr/bin/other"},
      {at(50), "", ChangeKind::package, "upgrade openssl"},
      {at(60), "order", ChangeKind::program, "/usr/bin/order"},
      {at(200), "order", ChangeKind::configuration, "/after"},
  };
  const auto found = model::suspects(changes, "order", {"db"}, at(100));
  CHECK(said(found) == Words{"/usr/bin/order", "/etc/order.yml", "/etc/db.conf", "upgrade openssl", "upgrade libc6"});
  CHECK(model::changed_text(found, at(100)) == "changed 40 s before: /usr/bin/order (program)");
  CHECK(model::changed_text(model::suspects(changes, "payment", {}, at(5)), at(5)).empty());
  // Seen a moment after the fault's first run, and not a negative time before.
  CHECK(model::changed_text(model::suspects(changes, "order", {}, at(59)), at(59)) ==
        "changed 0 s before: /usr/bin/order (program)");
}
