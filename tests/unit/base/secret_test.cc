#include "base/secret.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "base/file.h"

TEST_CASE("a target is shown without what opens it") {
  struct Row {
    const char *text, *want;
  };
  for (const Row& row : {
           Row{"http://127.0.0.1:8081/healthz", "http://127.0.0.1:8081/healthz"},
           Row{"http://u:hunter2@h/", "http://<secret>@h/"},
           Row{"http://token@h/", "http://<secret>@h/"},
           Row{"postgres://u:a@b@h:5432/db", "postgres://<secret>@h:5432/db"},
           Row{"http://u:a/b@h/", "http://<secret>@h/"},
           Row{"http://h:80/a@b", "http://h:80/a@b"},
           Row{"http://[::1]:80/x", "http://[::1]:80/x"},
           Row{"http://h/?token=a&x=abcdef&deep=1", "http://h/?token=<secret>&x=<secret>&deep=1"},
           Row{"http://h/?apikey=1", "http://h/?apikey=<secret>"},
           Row{"http://h/?T0KEN4711xyz", "http://h/?<secret>"},
           Row{"http://h/?wsdl", "http://h/?wsdl"},
           Row{"/carts?sku=${sku}&token=${token}", "/carts?sku=${sku}&token=${token}"},
           Row{"http://h/p#access_token=abc", "http://h/p#access_token=<secret>"},
           Row{"see http://u:p@h/ and http://v:q@i/?sig=z.",
               "see http://<secret>@h/ and http://<secret>@i/?sig=<secret>"},
           Row{"(http://u:p@h/)", "(http://<secret>@h/)"},
           Row{"bob:hunter2@10.0.0.1:80", "<secret>@10.0.0.1:80"},
           Row{"http@bob:hunter2@10.0.0.1:80", "http@<secret>@10.0.0.1:80"},
           Row{"http@10.0.0.1:80", "http@10.0.0.1:80"},
           Row{"shop@example.org", "shop@example.org"},
           Row{"/bin/check --password hunter2 -H db", "/bin/check --password <secret> -H db"},
           Row{"check --api-key=abc --timeout=5s", "check --api-key=<secret> --timeout=5s"},
           Row{"check --password-file /etc/pw", "check --password-file /etc/pw"},
           Row{"check -p 8080 -a /run/x", "check -p 8080 -a /run/x"},
           Row{"PGPASSWORD=abc psql", "PGPASSWORD=<secret> psql"},
           Row{"{\"password\":\"a b\"}", "{\"password\":\"<secret> b\"}"},
           Row{"{\"password\": \"abc\", \"user\": \"bob\"}", "{\"password\": \"<secret>\", \"user\": \"bob\"}"},
           Row{"Authorization: Bearer abc.DEF", "Authorization: Bearer <secret>"},
           Row{"Basic authentication is wanted", "Basic authentication is wanted"},
           Row{"unit order.service", "unit order.service"},
           Row{"  two  blanks \n", "  two  blanks \n"},
           Row{"", ""},
       }) {
    CAPTURE(row.text);
    CHECK(base::without_secrets(row.text) == row.want);
    CHECK(base::without_secrets(row.want) == row.want);
  }
}

TEST_CASE("a command is shown word by word") {
  using Words = std::vector<std::string>;
  CHECK(base::without_secrets(Words{"/usr/bin/mysqladmin", "-phunter2", "-h", "db"}) ==
        Words{"/usr/bin/mysqladmin", "-p<secret>", "-h", "db"});
  CHECK(base::without_secrets(Words{"find", "-print"}) == Words{"find", "-print"});
  CHECK(base::without_secrets(Words{"check", "--token", "two words"}) == Words{"check", "--token", "<secret>"});
  CHECK(base::without_secrets(Words{"sh", "-c", "curl -H 'X-Api-Key: k' http://u:p@h/"}) ==
        Words{"sh", "-c", "curl -H 'X-Api-Key: k' http://<secret>@h/"});
}

TEST_CASE("known secrets are found in what a peer says, short ones only as a word") {
  base::KnownSecrets secrets;
  secrets.add("pw");
  secrets.add("a long one");
  secrets.add("a long");
  secrets.add("x");
  secrets.add_text("/carts/${cart}");
  CHECK(secrets.blotted("pw, pwd, apw: a long one; a long two; x; a%20long%20one") ==
        "<secret>, pwd, apw: <secret>; <secret> two; x; <secret>");
  CHECK(secrets.blotted("DELETE /carts/${cart}") == "DELETE /carts/${cart}");
  CHECK(base::KnownSecrets().blotted("pw") == "pw");
}

TEST_CASE("a file of secrets is read when it is needed") {
  std::string file = "/tmp/fettle-secret-XXXXXX";
  const int opened = ::mkstemp(file.data());
  REQUIRE(opened >= 0);
  ::close(opened);
  base::KnownSecrets secrets;
  secrets.add_file(file);
  CHECK(secrets.blotted("hunter2") == "hunter2");
  REQUIRE(base::write_file_atomically(file, "hunter2\n").has_value());
  CHECK(secrets.blotted("no hunter2 here") == "no <secret> here");
  REQUIRE(base::write_file_atomically(file, "old-one\nnew-one\n").has_value());
  CHECK(secrets.blotted("old-one new-one hunter2") == "<secret> <secret> hunter2");
  ::unlink(file.c_str());
}
