// What the agents of a fleet share: small entries under keys, each kept for as long as the lease of its owner lives.
// The store is an engine that people already run. A type is one file in types/ and one line in types.def: its settings
// struct, its Schema, its Store class, and `const StoreType NAME_store`. Loop thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "loop/handle.h"

namespace config {
class Errors;
struct KeyReference;
class Node;
}  // namespace config

namespace http {
class HttpClient;
}  // namespace http

namespace loop {
class Scheduler;
}  // namespace loop

namespace cluster {

// no: the store says so. unknown: it said nothing that counts (no answer, an error of its own, a login that is
// refused); whether something was done is not known, and it may be asked again.
enum class Answered { yes, no, unknown };

template <typename T>
struct Answer {
  Answered kind = Answered::unknown;
  T value{};
  std::string text{};  // of no and unknown: why, for a person
};
struct Nothing {};

struct Entry {
  std::string key;
  std::string value;
  std::string lease;        // of its owner
  std::uint64_t fence = 0;  // grows with each owner that a key has; of two the smaller one goes first
  bool announced = false;   // its owner does not act by it yet; only where a store is no lock
};
// What outlives its author: under no lease.
struct Record {
  std::string key;
  std::string value;
  std::uint64_t revision = 0;  // another one after each write
};
struct Reading {
  std::vector<Entry> entries;     // by key
  std::uint64_t index = 0;        // where a watch goes on
  std::vector<Record> records{};  // by key
};

// Every call is one try on a connection of its own: it is answered in a later turn, after try_limit() at the latest,
// and the next one goes to the next server after one that was unknown. After a Handle is dropped `done` does not come;
// what was asked for may be done all the same. Keys are relative; what they must not have (blanks, '%') is escaped by
// their owner.
class Store {
 public:
  virtual ~Store() = default;
  virtual std::string name() const = 0;  // "etcd at https://10.0.0.1:2379", of the server that is asked now

  // A lease that ends `ttl` after its last renewal, its entries with it; a store may let it live longer. Consul keeps
  // the entries from others for a `ttl` more.
  virtual loop::Handle grant(base::Millis ttl, std::function<void(Answer<std::string>)> done) = 0;
  // no: it has ended.
  virtual loop::Handle renew(const std::string& lease, std::function<void(Answer<Nothing>)> done) = 0;
  virtual loop::Handle revoke(const std::string& lease, std::function<void(Answer<Nothing>)> done) = 0;

  // What is there now, by the word of a majority.
  virtual loop::Handle read(const std::string& prefix, std::function<void(Answer<Reading>)> done) = 0;
  // The entry is the lease's and has this value: it was free, or the lease's already. The fence comes with a yes.
  // no: another lease owns the entry, or this lease has ended.
  virtual loop::Handle take(const std::string& key, const std::string& value, const std::string& lease,
                            std::function<void(Answer<std::uint64_t>)> done) = 0;
  // no: it is not the lease's.
  virtual loop::Handle drop(const std::string& key, const std::string& lease,
                            std::function<void(Answer<Nothing>)> done) = 0;

  // The record has this value: no agent has written it since `revision`, 0: it was not there.
  // no: another agent has, or the store keeps no records.
  virtual loop::Handle write(const std::string& key, const std::string& value, std::uint64_t revision,
                             std::function<void(Answer<Nothing>)> done) = 0;

  // `done` when something below `prefix` may have changed after `index`, or after kWatch. Whoever hears of it reads:
  // a watch may be late, and may wake for nothing. unknown: it broke.
  static constexpr std::chrono::minutes kWatch{5};
  virtual loop::Handle watch(const std::string& prefix, std::uint64_t index,
                             std::function<void(Answer<Nothing>)> done) = 0;

  // False: several may own an entry, which one goes first is found by reading once more, no fence counts outside,
  // nothing begins without the store, and no record is kept.
  virtual bool locks() const { return true; }
  // The owner of the entry acts by it from now on. Called in the turn in which that is decided.
  virtual void acts(const std::string& key) { (void)key; }
  // What other agents ask this one for, as JSON; "": they ask the store.
  virtual std::string shared() const { return ""; }
};

// What stores may use. References live as long as the agent.
struct Context {
  loop::Scheduler& scheduler;
  http::HttpClient& http;
  std::string node;        // as people see who has a lease
  std::uint64_t seed = 0;  // of random times
};

// Two tries fit between a renewal that is due (a third of the ttl) and the end of its time (two thirds). Below the 7 s
// after which etcd and Consul themselves give up.
base::Millis try_limit(base::Millis ttl);

// The configuration of a store, parsed and checked. The Store outlives it.
class Settings {
 public:
  virtual ~Settings() = default;
  virtual std::unique_ptr<Store> make(const Context& context, base::Millis limit_of_try) const = 0;
};

struct StoreType {
  std::string_view name;     // the key in `fleet`
  std::string_view summary;  // one line for the reference
  std::string_view example;  // its value, as YAML; a test parses it
  std::unique_ptr<const Settings> (*parse)(const config::Node& node, const std::string& path, config::Errors& errors);
  const std::vector<config::KeyReference>& (*reference)();
};

}  // namespace cluster
