// A connection to one node, on its client port.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

struct redisContext;
struct redisReply;

namespace kiwi::ctl {

struct Address {
  std::string host;
  int port = 0;
  bool operator==(const Address&) const = default;
  std::string ToString() const { return host + ":" + std::to_string(port); }
};

// "host:port" or "[::1]:port"; kInvalidArgument.
Result<Address> ParseAddress(const std::string& text);

// A reply: text (errors and numbers as text too), or a list. A map is a list of names and values by
// turns.
struct Value {
  bool error = false;
  bool list = false;
  std::string text;
  std::vector<Value> items;

  // Of a map; an empty value if it has no such name.
  const Value& operator[](std::string_view name) const;
  int64_t number() const;  // 0 if it is none
};

class Client {
 public:
  // kNetwork: nobody answers there. An empty password: none is needed.
  static Result<std::unique_ptr<Client>> Connect(const Address& address,
                                                 const std::string& password, int64_t timeout_ms);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // kNetwork: the connection broke, and it is not known whether the command took effect. A server's
  // error is a Value.
  Result<Value> Command(const std::vector<std::string>& args);

 private:
  explicit Client(redisContext* context) : context_(context) {}
  redisContext* const context_;
};

}  // namespace kiwi::ctl
