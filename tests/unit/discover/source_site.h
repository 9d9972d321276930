// One source of targets, from its keys, in a world of fakes.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "discover/registry.h"
#include "fakes/fake_http.h"
#include "fakes/probe_world.h"

struct NoFolders final : os::FolderWatcher {
  base::Result<loop::Handle> watch(const std::string&, std::function<void()>) override {
    return base::fail(base::Kind::not_found, "no such folder");
  }
};

// Of Consul, with the index of a blocking query.
inline http::HttpResponse answered(int status, std::string body, const std::string& index = "") {
  return fakes::answered(status, std::move(body),
                         index.empty() ? http::Headers{} : http::Headers{{"X-Consul-Index", index}});
}

struct SourceSite {
  SourceSite(const discover::Type& type, const std::string& keys) {
    config::Errors errors;
    const config::Node entry = config::Node::parse("{" + keys + "}", "f", errors);
    settings = type.parse(entry, "sd", {"edge", "/etc"}, errors);
    REQUIRE(errors.text() == "");
    sd = settings->make({loop, folders, http, resolver}, [this] { ++changes; });
    CHECK(changes == 0);
    loop.run_due();
  }
  const discover::TargetList& list() const { return *sd->lists().at(0); }
  std::string addresses() const {
    std::string out;
    for (const discover::Target& target : list().targets) out += (out.empty() ? "" : " ") + target.address;
    return out;
  }

  fakes::FakeLoop loop;
  fakes::FakeHttp http{loop};
  fakes::FakeResolver resolver{loop};
  NoFolders folders;
  int changes = 0;
  std::unique_ptr<const discover::Settings> settings;
  std::unique_ptr<discover::Source> sd;
};
