// query_response beyond one question and one answer: groups that are carried on, labels, bytes behind a line.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "fakes/probe_trial.h"

namespace {

using model::Reason;

struct Talk : fakes::ConnectedTrial {
  explicit Talk(const std::string& turns) : ConnectedTrial("tcp", "mail:25", {"query_response=" + turns}) { connect(); }
};

}  // namespace

TEST_CASE("what is sent may name groups, of its own turn or of the last one that had some") {
  struct Row {
    const char* name;
    const char* turns;
    std::vector<std::string> said;
    std::vector<std::string> written;
  };
  for (const Row& row : {
           Row{"all forms, in the same turn",
               "[{expect: '^220 (?P<host>\\S+) (\\S+)', send: '$2 ${host} $host $1x ${1}x $$5 ${9}|'}]",
               {"220 a.test ESMTP\n"},
               {"ESMTP a.test a.test  a.testx $5 |\n"}},
           Row{"later turns, in braces only",
               "[{expect: '^220 (?P<host>\\S+)'}, {send: 'EHLO ${1} $1 ${host} ${'}, {expect: '^250', send: '$x'}]",
               {"220 a.test\n", "250 ok\n"},
               {"EHLO a.test $1 a.test ${\n", "\n"}},
           Row{"without groups before it, all is verbatim", "[{send: 'PASS ${1}$$'}]", {}, {"PASS ${1}$$\n"}},
           Row{"a dollar in a turn without groups",
               "[{expect: '^220', send: 'a$$b'}, {expect: '^250', send: 'plain'}]",
               {"220 x\n", "250 x\n"},
               {"a$b\n", "plain\n"}},
           Row{"what the peer says is no template",
               "[{expect: '^(.*)$', send: '<${1}>'}]",
               {"$1 ${1}\n"},
               {"<$1 ${1}>\n"}},
       }) {
    CAPTURE(row.name);
    Talk talk(row.turns);
    for (const std::string& said : row.said) talk.peer.say(said);
    talk.world.loop.run_due();
    CHECK(talk.peer.written == row.written);
    CHECK(talk.found.up);
  }
}

TEST_CASE("labels of a turn become probe_expect_info") {
  Talk talk(
      "[{expect: '^SSH-2.0-([^ -]+)( (.*))?$', labels: [{name: version, value: '${1}'}, {name: rest, value: $3}, "
      "{name: kind, value: ssh}]}, {expect: ok}]");
  talk.peer.say("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
  CHECK(talk.answers == 0);
  talk.peer.say("no\n");
  talk.peer.close();
  // Learnt before the run failed, and shown all the same.
  CHECK(talk.found.reason == Reason::body_mismatch);
  CHECK(talk.measured("probe_expect_info", "version", "OpenSSH_9.2p1") == 1);
  CHECK(talk.measured("probe_expect_info", "rest", "Debian-2") == 1);
  CHECK(talk.measured("probe_expect_info", "kind", "ssh") == 1);
}

TEST_CASE("bytes may be awaited behind a line, and it is said which of both did not come") {
  const char* const turns = "[{expect: '^HELLO', expect_bytes: \"\\x01\\x02\", send: go}]";
  Talk both(turns);
  both.peer.say("HELLO\r\n\x01");
  CHECK(both.peer.written.empty());
  both.peer.say("\x02");
  both.world.loop.run_due();
  CHECK(both.peer.written == std::vector<std::string>{"go\n"});
  CHECK(both.found.up);
  CHECK(both.measured("probe_failed_due_to_bytes") == 0);

  Talk no_line(turns);
  no_line.peer.say("GOODBYE\r\n");
  no_line.peer.close();
  CHECK(no_line.measured("probe_failed_due_to_regex") == 1);
  CHECK(no_line.measured("probe_failed_due_to_bytes") == 0);

  Talk no_bytes(turns);
  no_bytes.peer.say("HELLO\r\n\x03");
  no_bytes.peer.close();
  CHECK(no_bytes.found.text == "turn 1: never sent '..'; ended with '.'");
  CHECK(no_bytes.measured("probe_failed_due_to_regex") == 0);
  CHECK(no_bytes.measured("probe_failed_due_to_bytes") == 1);
}

TEST_CASE("labels that could never be shown are refused") {
  for (const char* labels :
       {"[{send: x, labels: [{name: a, value: b}]}]", "[{expect: x, labels: [{name: 1a, value: b}]}]",
        "[{expect: x, labels: [{name: __a, value: b}]}]", "[{expect: x, labels: [{name: a}]}]"}) {
    CAPTURE(labels);
    CHECK_FALSE(probe::spec_from_arguments("tcp", "a:1", {"query_response=" + std::string(labels)}));
  }
}
