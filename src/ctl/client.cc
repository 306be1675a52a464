#include "ctl/client.h"

#include <hiredis/hiredis.h>

#include "base/numbers.h"

namespace kiwi::ctl {
namespace {

timeval ToTimeval(int64_t ms) { return {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000}; }

Value Convert(const redisReply& reply) {
  Value value;
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      value.text = std::to_string(reply.integer);
      break;
    case REDIS_REPLY_ARRAY:
      value.list = true;
      for (size_t i = 0; i < reply.elements; ++i) value.items.push_back(Convert(*reply.element[i]));
      break;
    case REDIS_REPLY_NIL:
      break;
    default:
      value.error = reply.type == REDIS_REPLY_ERROR;
      value.text.assign(reply.str, static_cast<size_t>(reply.len));
  }
  return value;
}

}  // namespace

Result<Address> ParseAddress(const std::string& text) {
  const size_t colon = text.rfind(':');
  int64_t port = 0;
  if (colon == std::string::npos || colon == 0 || !ParseInt64(text.substr(colon + 1), &port) ||
      port < 1 || port > 65535) {
    return Status(StatusCode::kInvalidArgument, "\"" + text + "\" is not host:port");
  }
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return Address{.host = std::move(host), .port = static_cast<int>(port)};
}

const Value& Value::operator[](std::string_view name) const {
  static const Value kNone;
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i].text == name) return items[i + 1];
  }
  return kNone;
}

int64_t Value::number() const {
  int64_t value = 0;
  return ParseInt64(text, &value) ? value : 0;
}

Result<std::unique_ptr<Client>> Client::Connect(const Address& address, const std::string& password,
                                                int64_t timeout_ms) {
  const auto failed = [&address](const std::string& why) {
    return Status(StatusCode::kNetwork, address.ToString() + ": " + why);
  };
  const timeval connect_timeout = ToTimeval(std::min<int64_t>(timeout_ms, 1000));
  redisContext* const context =
      redisConnectWithTimeout(address.host.c_str(), address.port, connect_timeout);
  if (context == nullptr) return failed("out of memory");
  std::unique_ptr<Client> client(new Client(context));
  if (context->err != 0) return failed(context->errstr);
  redisSetTimeout(context, ToTimeval(timeout_ms));
  if (!password.empty()) {
    KIWI_ASSIGN_OR_RETURN(const Value reply, client->Command({"AUTH", password}));
    if (reply.error) {
      return Status(StatusCode::kInvalidArgument, address.ToString() + ": " + reply.text);
    }
  }
  return client;
}

Client::~Client() { redisFree(context_); }

Result<Value> Client::Command(const std::vector<std::string>& args) {
  std::vector<const char*> texts;
  std::vector<size_t> sizes;
  for (const std::string& arg : args) {
    texts.push_back(arg.data());
    sizes.push_back(arg.size());
  }
  auto* const reply = static_cast<redisReply*>(
      redisCommandArgv(context_, static_cast<int>(args.size()), texts.data(), sizes.data()));
  if (reply == nullptr) return Status(StatusCode::kNetwork, context_->errstr);
  Value value = Convert(*reply);
  freeReplyObject(reply);
  return value;
}

}  // namespace kiwi::ctl
