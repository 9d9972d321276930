// WeCom's applications: a token is fetched, kept, and fetched again when it is refused.
#include "desk.h"

namespace {

void answer(Fixture& f, const std::string& body, int status = 200) {
  http::HttpResponse response;
  response.status = status;
  response.body = body;
  f.http.desk.answer(std::move(response));
}

const char* const kReceiver =
    "{name: ops, wechat_configs: [{corp_id: ww1, agent_id: '7', api_secret: s&1, to_user: '@all', send_resolved: "
    "true}]}";
const char* const kToken = R"({"errcode":0,"errmsg":"ok","access_token":"tok-1","expires_in":7200})";
const char* const kTaken = R"({"errcode":0,"errmsg":"ok","invaliduser":""})";

}  // namespace

TEST_CASE("WeCom: the first message fetches a token, those after it use the same") {
  Fixture f(kReceiver);
  f.tell("Down");
  CHECK(f.http.desk.last().method == "GET");
  CHECK(f.http.desk.last().url == "https://qyapi.weixin.qq.com/cgi-bin/gettoken?corpid=ww1&corpsecret=s%261");
  answer(f, kToken);
  CHECK(f.http.desk.last().method == "POST");
  CHECK(f.http.desk.last().url == "https://qyapi.weixin.qq.com/cgi-bin/message/send?access_token=tok-1");
  CHECK(f.body()["touser"] == "@all");
  CHECK(f.body()["agentid"] == "7");
  CHECK(f.body()["msgtype"] == "text");
  CHECK(f.body()["text"]["content"].get<std::string>().starts_with("[FIRING:1] "));
  answer(f, kTaken);
  CHECK(f.results == std::vector<std::string>{"ops sent"});
  f.tell("Down", AlertState::inactive);
  f.loop.advance(minutes{6});
  REQUIRE(f.sent() == 3);
  CHECK(f.http.desk.last().url.ends_with("access_token=tok-1"));
}

TEST_CASE("WeCom: a token that is over or refused is fetched once more, and never shown") {
  Fixture f(kReceiver);
  f.tell("Down");
  answer(f, kToken);
  answer(f, kTaken);
  f.tell("Down", AlertState::inactive);
  f.loop.advance(minutes{6});
  answer(f, R"({"errcode":42001,"errmsg":"access_token expired"})");
  CHECK(f.http.desk.last().method == "GET");
  answer(f, R"({"errcode":0,"access_token":"tok-2","expires_in":7200})");
  answer(f, R"({"errcode":40014,"errmsg":"invalid access_token tok-2"})");
  CHECK(f.results == std::vector<std::string>{"ops sent", "ops refused"});
  CHECK(f.notifications->statuses()[0].last_error.find("tok-2") == std::string::npos);
  f.loop.advance(minutes{2});
  CHECK(f.http.desk.last().method == "GET");
}

TEST_CASE("WeCom: what its answers mean") {
  struct Row {
    const char* token;
    const char* message;
    const char* result;
    const char* error;
  };
  const Row rows[] = {
      {R"({"errcode":40001,"errmsg":"invalid credential"})", nullptr, "ops refused",
       "no token: errcode 40001: invalid credential"},
      {R"({"errcode":-1,"errmsg":"system busy"})", nullptr, "ops retried", "no token: errcode -1: system busy"},
      {"{}", nullptr, "ops retried", "no token: the answer has no access_token"},
      {R"({"errcode":0,"access_token":7})", nullptr, "ops retried", "no token: the answer has no access_token"},
      {R"({"errcode":"0","access_token":"t"})", nullptr, "ops refused", "no token: errcode \"0\""},
      {R"({"errcode":0,"access_token":"t","expires_in":"soon"})", R"({"errcode":45009})", "ops retried",
       "errcode 45009"},
      {R"({"errcode":0,"access_token":"t","expires_in":18446744073709551615})", R"({"errcode":45009})", "ops retried",
       "errcode 45009"},
      {kToken, R"({"errcode":45009,"errmsg":"api freq out of limit"})", "ops retried",
       "errcode 45009: api freq out of limit"},
      {kToken, R"({"errcode":81013,"errmsg":"user & party & tag all invalid"})", "ops refused",
       "errcode 81013: user & party & tag all invalid"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.error);
    Fixture f(kReceiver);
    f.tell("Down");
    answer(f, row.token);
    if (row.message != nullptr) answer(f, row.message);
    CHECK(f.results == std::vector<std::string>{row.result});
    CHECK(f.notifications->statuses()[0].last_error == row.error);
  }
}
