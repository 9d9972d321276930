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
        Words{"sh", "-c", "curl -H 'X-Api-Key: <secret>' http://<secret>@h/"});
}

TEST_CASE("passwords of the programs that probes and plans run are found on their command lines") {
  using Words = std::vector<std::string>;
  struct Row {
    Words command, want, found;
  };
  for (const Row& row : {
           Row{{"curl", "-u", "bob:hunter2", "http://h/"}, {"curl", "-u", "bob:<secret>", "http://h/"}, {"hunter2"}},
           Row{{"curl", "-ubob:hunter2", "http://h/"}, {"curl", "-ubob:<secret>", "http://h/"}, {"hunter2"}},
           Row{{"curl", "--user", "bob:a:b"}, {"curl", "--user", "bob:<secret>"}, {"a:b"}},
           Row{{"curl", "-H", "Authorization: Token abc", "-H", "Accept: text/html"},
               {"curl", "-H", "Authorization: <secret>", "-H", "Accept: text/html"},
               {"Token abc", "abc"}},
           Row{{"curl", "-HX-Auth-Token:abc"}, {"curl", "-HX-Auth-Token:<secret>"}, {"abc"}},
           Row{{"smbclient", "-U", "bob%hunter2", "//h/s"}, {"smbclient", "-U", "bob%<secret>", "//h/s"}, {"hunter2"}},
           Row{{"snmpget", "-v", "2c", "-c", "comm", "h"}, {"snmpget", "-v", "2c", "-c", "<secret>", "h"}, {"comm"}},
           Row{{"/usr/lib/nagios/plugins/check_snmp", "-C", "comm", "-c", "90"},
               {"/usr/lib/nagios/plugins/check_snmp", "-C", "<secret>", "-c", "90"},
               {"comm"}},
           Row{{"timeout", "5", "mariadb-admin", "-phunter2", "-P", "3306"},
               {"timeout", "5", "mariadb-admin", "-p<secret>", "-P", "3306"},
               {"hunter2"}},
           Row{{"sh", "-c", "mysql -phunter2 -e 'select 1' | grep -q 1"},
               {"sh", "-c", "mysql -p<secret> -e 'select 1' | grep -q 1"},
               {"hunter2"}},
           Row{{"sh", "-c", "redis-cli -a hunter2 ping"}, {"sh", "-c", "redis-cli -a <secret> ping"}, {"hunter2"}},
           // Nothing of these is one.
           Row{{"docker", "exec", "-u", "1000:1000", "order", "true"},
               {"docker", "exec", "-u", "1000:1000", "order", "true"},
               {}},
           Row{{"find", "-print", "-user", "bob"}, {"find", "-print", "-user", "bob"}, {}},
           Row{{"check_load", "-w", "5,4,3", "-c", "10,8,6"}, {"check_load", "-w", "5,4,3", "-c", "10,8,6"}, {}},
           Row{{"runuser", "-u", "postgres", "--", "pg_isready"},
               {"runuser", "-u", "postgres", "--", "pg_isready"},
               {}},
           Row{{"curl", "-H", "X-Api-Key: ${key}"}, {"curl", "-H", "X-Api-Key: ${key}"}, {}},
       }) {
    const auto joined = [](const Words& words) {
      std::string out;
      for (const std::string& word : words) out += "[" + word + "]";
      return out;
    };
    CHECK(joined(base::without_secrets(row.command)) == joined(row.want));
    CHECK(joined(base::without_secrets(row.want)) == joined(row.want));
    CHECK(joined(base::secrets_in(row.command)) == joined(row.found));
  }
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

TEST_CASE("a known secret is found in all codings in which it comes back") {
  base::KnownSecrets secrets;
  secrets.add("p/q&r <\"s'\\ é€");
  secrets.add("hunter2");
  secrets.add_login({"user", "", "pass-word", ""});
  for (const char* said : {
           "p/q&r <\"s'\\ é€",
           "p%2Fq%26r%20%3C%22s%27%5C%20%C3%A9%E2%82%AC",
           "p%2fq%26r%20%3c%22s%27%5c%20%c3%a9%e2%82%ac",
           "p%2fq%26r+%3C%22s%27%5c+%c3%a9%e2%82%ac",
           "p/q%26r%20%3C%22s'%5C%20é€",
           "p/q&amp;r &lt;&quot;s&#39;\\ é€",
           "p/q&amp;r &lt;&#34;s&#x27;\\ &#233;&#x20ac;",
           "p&#x2F;q&AMP;r &LT;&QUOT;s&apos;\\ é€",
           "p/q&r <\\\"s'\\\\ é€",
           "p\\/q\\u0026r \\u003c\\\"s\\u0027\\\\ \\u00e9\\u20AC",
           "p/q&r <\"s'\\x5c \\xc3\\xa9\\xE2\\x82\\xAC",
           "702f712672203c2273275c20c3a9e282ac",
           "702F712672203C2273275C20C3A9E282AC",
           "cC9xJnIgPCJzJ1wgw6nigqw=",
           "cC9xJnIgPCJzJ1wgw6nigqw",
           "aHVudGVyMg==",
           "aHVudGVyMg",
           "aHVudGVyMg%3D%3D",
           "%68%75%6e%74%65%72%32",
           "dXNlcjpwYXNzLXdvcmQ=",
           "dXNlcjpwYXNzLXdvcmQ",
       }) {
    CAPTURE(said);
    std::string shown = secrets.blotted("you said (" + std::string(said) + "), no");
    CHECK((shown == "you said (<secret>), no" || shown == "you said (<secret>%3D%3D), no"));
  }
  // Both alphabets of base64, and as a part of a longer text: "\0hunter2-hunter2" and its like.
  base::KnownSecrets more;
  more.add(
      "?"
      "?>>hunter2-h");
  for (const char* said :
       {"Pz8+Pmh1bnRlcjItaA==", "Pz8-Pmh1bnRlcjItaA", "AD8/Pj5odW50ZXIyLWg=", "YWI_Pz4-aHVudGVyMi1o"}) {
    CAPTURE(said);
    const std::string shown = more.blotted(said);
    CHECK(shown.find("<secret>") != std::string::npos);
    CHECK(shown.find("aHVudGVyMi") == std::string::npos);
    CHECK(shown.find("odW50ZXIy") == std::string::npos);
    CHECK(shown.find("Pmh1bnRlcjIt") == std::string::npos);
  }
  base::KnownSecrets header;
  header.add_text("Basic dXNlcjpwYXNzLXdvcmQ=");
  CHECK(header.blotted("dXNlcjpwYXNzLXdvcmQ= user:pass-word pass-word") == "<secret> <secret> <secret>");
}

TEST_CASE("a known secret is found in capitals and in one coding around another") {
  base::KnownSecrets secrets;
  secrets.add("p/q&r <\"s'\\ e");
  secrets.add("hunter2/Hunter");
  for (const char* said : {
           "HUNTER2/HUNTER",
           "Hunter2%2fhUNTER",
           "68756E746572322F48756e746572",
           "hunter2%252FHunter",
           "hunter2%25252fHunter",
           "%2568%2575%256e%2574%2565%2572%2532%252f%2548%2575%256e%2574%2565%2572",
           "hunter2&amp;#47;Hunter",
           "hunter2&amp;#x2F;HUNTER",
           "hunter2\\\\\\/Hunter",
           "hunter2\\\\u002fHunter",
           "hunter2%5Cu002fHunter",
           "hunter2&#37;2FHunter",
           "p\\/q\\\\u0026r%20&lt;\\\\\\\"s'\\\\\\\\ e",
           "aHVudGVyMi9IdW50ZXI%253D",
           "YUhWdWRHVnlNaTlJZFc1MFpYST0=",                          // base64 twice
           "NjE0ODU2NzU2NDQ3NTY3OTRkNjkzOTQ5NjQ1NzM1MzA1YTU4NDk=",  // base64 of the hexadecimal digits of base64
           "aHVudGVyMiUyRkh1bnRlcg==",                              // base64 of what has a percent sign
           "SFVOVEVSMi9IVU5URVI=",                                  // base64 of the capitals
           "4855 no",
       }) {
    CAPTURE(said);
    const std::string text = "you said (" + std::string(said) + "), no";
    const std::string shown = secrets.blotted(text);
    if (std::string(said) == "4855 no") CHECK(shown == text);
    else CHECK((shown == "you said (<secret>), no" || shown == "you said (<secret>%253D), no"));
  }
  CHECK(secrets.blotted("key=YUhWdWRHVnlNaTlJZFc1MFpYST0=, /a/bc/YUhWdWRHVnlNaTlJZFc1MFpYST0") ==
        "key=<secret>, /a/bc/<secret>");
  const std::string harmless =
      "connection refused: 100%25 of https%3A%2F%2Fexample.org%2Fpath &amp;amp; \\\\u0041 dGhpcyBpcyBubyBzZWNyZXQ=";
  CHECK(secrets.blotted(harmless) == harmless);
  // A short one stays what it is in other letters.
  base::KnownSecrets brief;
  brief.add("no");
  CHECK(brief.blotted("NO, no") == "NO, <secret>");
}

TEST_CASE("a very short secret hides no ordinary words") {
  base::KnownSecrets secrets;
  for (const char* value : {"x", "a", "ab", "abc"}) secrets.add(value);
  secrets.add_login({"bob", "", "x", ""});
  for (const char* text : {"expected a string", "a cab for an abcd, fab: 78, 616263, 6162", "eA YQ YWI YWJj YQ=="}) {
    CAPTURE(text);
    CHECK(secrets.blotted(text) == text);
  }
  CHECK(secrets.blotted("x") == "<secret>");
  CHECK(secrets.blotted("got 'x' and \"a\"") == "got '<secret>' and \"<secret>\"");
  CHECK(secrets.blotted("ab=abc") == "<secret>=<secret>");
  CHECK(secrets.blotted("Ym9iOng= bob:x") == "<secret> <secret>");
}

TEST_CASE("the path of a URL is a secret where it looks like one") {
  const auto said = [](const char* url, const char* text) {
    base::KnownSecrets secrets;
    secrets.add_path(url);
    return secrets.blotted(text);
  };
  CHECK(said("https://h/fettle", "cannot read /etc/fettle/hook.key") == "cannot read /etc/fettle/hook.key");
  CHECK(said("https://h/api/hooks/notify", "/api/hooks/notify") == "/api/hooks/notify");
  CHECK(said("https://h", "https://h") == "https://h");
  CHECK(said("https://h/services/T0/B1", "POST /services/T0/B1: 404") == "POST <secret>: 404");
  CHECK(said("https://h/hook/q1w2e3r4t5y6u7?a=b", "no q1w2e3r4t5y6u7 here") == "no <secret> here");
  CHECK(said("https://h/hook/QwErTyUiOpAs", "no QwErTyUiOpAs here") == "no <secret> here");
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
  base::KnownSecrets login;
  login.add_login({"bob", "", "", file});
  REQUIRE(base::write_file_atomically(file, "hunter2\n").has_value());
  CHECK(login.blotted("Ym9iOmh1bnRlcjI= bob:hunter2") == "<secret> <secret>");
  ::unlink(file.c_str());
}

TEST_CASE("the beginning of a known secret is found where a text was cut within it") {
  base::KnownSecrets secrets;
  secrets.add("p/q&r <\"s'\\ hunter2");
  secrets.add_login({"user", "", "pass-word-0815", ""});
  for (const char* said : {
           "p/q&r <\"s'\\ hun", "P/Q&", "p%2Fq%26r%20%3C%2", "p%2fq%26r+%", "p&#x2F;q&amp;r &l", "p\\/q\\u0026r \\u00",
           "702f712672203", "cC9xJnIgPCJ", "dXNlcjpwYXNzLXdvcm", "user:pass",
           "Y0M5eEpuSWdQQ0p6",  // base64 twice
       }) {
    CAPTURE(said);
    CHECK(secrets.blotted("you said " + std::string(said) + "…") == "you said <secret>…");
    CHECK(secrets.blotted("you said '" + std::string(said) + "…'; no") == "you said '<secret>…'; no");
    CHECK(secrets.blotted(std::string(said) + "\n… 7 bytes left out …\n") == "<secret>\n… 7 bytes left out …\n");
  }
  // Three characters are too few, and what was not cut is another word.
  for (const char* text : {"p/q…", "use…", "p/q&r is a path", "the user: none…", "p/q&r and more…", "100%…"}) {
    CAPTURE(text);
    CHECK(secrets.blotted(text) == text);
  }
}

TEST_CASE("a long text is cut before it is searched, and no part of a secret is left where it was cut") {
  base::KnownSecrets secrets;
  secrets.add("correct horse battery");
  const std::size_t limit = base::KnownSecrets::kSearched;
  const std::string filling(limit - 12, 'x');
  const std::string shown = secrets.blotted(filling + "correct horse battery" + std::string(1 << 20, 'y'));
  CHECK(shown == filling + "<secret>…");
  CHECK(base::KnownSecrets().blotted(std::string(1 << 20, 'y')).size() == limit);
}

TEST_CASE("a filter has the secrets of the moment when it was made") {
  std::string file = "/tmp/fettle-secret-XXXXXX";
  const int opened = ::mkstemp(file.data());
  REQUIRE(opened >= 0);
  ::close(opened);
  REQUIRE(base::write_file_atomically(file, "first-token-1").has_value());
  base::KnownSecrets secrets;
  secrets.add_file(file);
  base::SecretFilter filter(secrets);
  REQUIRE(base::write_file_atomically(file, "second-token-2").has_value());
  CHECK(filter.blotted("first-token-1 second-token-2") == "<secret> second-token-2");
  CHECK(secrets.blotted("first-token-1 second-token-2") == "first-token-1 <secret>");
  ::unlink(file.c_str());
}
