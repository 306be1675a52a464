#include "commands/large_reply.h"

#include <memory>
#include <string>
#include <utility>

#include "keyspace/types/hash_value.h"
#include "keyspace/types/string_value.h"
#include "keyspace/types/value_walk.h"

namespace kiwi::commands {

using keyspace::HashReader;
using keyspace::Object;
using keyspace::StringWalk;
using protocol::ReplyWriter;

namespace {

// `bytes` lie at `offset` of the string.
bool Reply(Context& ctx, const Object& object, std::string_view bytes, size_t offset,
           CopyBudget& budget) {
  if (budget.Take(bytes.size()) || ctx.rest == nullptr || !StringWalk::Can(object)) [[likely]] {
    ctx.reply.Bulk(bytes);
    return true;
  }
  if (!ctx.rest->Accepts()) return false;
  const auto walk = std::make_shared<StringWalk>(ctx.keyspace, object, offset, bytes.size());
  ctx.rest->Add(ctx.reply, bytes.size(), [walk](ReplyWriter& reply) {
    reply.BulkHeader(walk->size());
    walk->AppendTo(&reply.buffer());
    reply.BulkEnd();
    return true;
  });
  return true;
}

}  // namespace

bool ReplyString(Context& ctx, const Object& object, CopyBudget& budget) {
  keyspace::StringScratch scratch;
  return Reply(ctx, object, StringBytes(object, scratch), 0, budget);
}

bool ReplySubstring(Context& ctx, const Object& object, size_t offset, size_t size,
                    CopyBudget& budget) {
  keyspace::StringScratch scratch;
  return Reply(ctx, object, StringBytes(object, scratch).substr(offset, size), offset, budget);
}

bool ReplyField(Context& ctx, const Object& hash, std::string_view field, CopyBudget& budget) {
  const auto value = HashReader(hash).Get(field);
  if (!value) {
    ctx.reply.Null();
    return true;
  }
  if (!budget.Take(value->size()) && ctx.rest != nullptr) [[unlikely]] {
    if (std::shared_ptr<keyspace::FieldNode> node = keyspace::HoldField(hash, field)) {
      if (!ctx.rest->Accepts()) return false;
      ctx.rest->Add(ctx.reply, value->size(), [node = std::move(node)](ReplyWriter& reply) {
        reply.Bulk(node->value());
        return true;
      });
      return true;
    }
  }
  ctx.reply.Bulk(*value);
  return true;
}

bool IsLargeHash(const Context& ctx, const Object& hash) {
  return ctx.rest != nullptr &&
         (hash.memory_bytes() > kMaxBytesAtOnce || HashReader(hash).size() > kMaxStepsAtOnce);
}

}  // namespace kiwi::commands
