#include "commands/args.h"

#include <limits>
#include <string>

#include "base/numbers.h"
#include "commands/rest.h"

namespace kiwi::commands {
namespace {

constexpr size_t kMaxReplyBytes = size_t{1} << 30;
constexpr size_t kMinBulkBytes = 6;  // "$0", two line ends
constexpr std::string_view kReplyTooLarge = "ERR the reply would exceed 1 GB; ask for less at once";

}  // namespace

bool EqualsIgnoreCase(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c) != lower[i]) return false;
  }
  return true;
}

std::string_view UpToNul(std::string_view text) { return text.substr(0, text.find('\0')); }

bool IntArg(Context& ctx, std::string_view text, int64_t* value) {
  if (ParseInt64(text, value)) return true;
  ctx.reply.Error(kNotInteger);
  return false;
}

bool RangeArg(Context& ctx, std::string_view text, int64_t min, int64_t max, int64_t* value) {
  if (!IntArg(ctx, text, value)) return false;
  if (*value >= min && *value <= max) return true;
  ctx.reply.Error("ERR value is out of range, value must between " + std::to_string(min) + " and " +
                  std::to_string(max));
  return false;
}

bool DbArg(Context& ctx, std::string_view text, int* index) {
  int64_t value = 0;
  if (!RangeArg(ctx, text, std::numeric_limits<int>::min(), std::numeric_limits<int>::max(),
                &value)) {
    return false;
  }
  if (value < 0 || value >= ctx.keyspace.databases()) {
    ctx.reply.Error(kDbOutOfRange);
    return false;
  }
  *index = static_cast<int>(value);
  return true;
}

bool FindOfType(Context& ctx, std::string_view key, keyspace::Type type,
                const keyspace::Object** object) {
  *object = ctx.db.Find(key);
  if (*object == nullptr || (*object)->type() == type) return true;
  ctx.reply.Error(kWrongType);
  return false;
}

void ReplyArityError(Context& ctx, std::string_view name) {
  ctx.reply.Error("ERR wrong number of arguments for '" + std::string(name) + "' command");
}

bool ExpireArg(Context& ctx, std::string_view text, ExpireUnit unit, bool positive_only,
               std::string_view name, int64_t* at_ms) {
  int64_t when = 0;
  if (!IntArg(ctx, text, &when)) return false;
  const bool overflow = (positive_only && when <= 0) ||
                        (unit.seconds && __builtin_mul_overflow(when, int64_t{1000}, &when)) ||
                        (unit.relative && __builtin_add_overflow(when, ctx.now_ms(), &when));
  if (overflow) {
    ctx.reply.Error("ERR invalid expire time in '" + std::string(name) + "' command");
    return false;
  }
  *at_ms = when;
  return true;
}

ReplyBound::ReplyBound(protocol::ReplyWriter& reply, Rest* rest)
    : reply_(reply), rest_(rest), begin_(reply.buffer().size()), before_(Bytes()) {}

size_t ReplyBound::Bytes() const {
  return reply_.buffer().size() + (rest_ == nullptr ? 0 : rest_->bytes());
}

bool ReplyBound::Admits(uint64_t bulks) {
  if (bulks <= kMaxReplyBytes / kMinBulkBytes) return true;
  reply_.Error(kReplyTooLarge);
  return false;
}

bool ReplyBound::Exceeded() {
  if (Bytes() - before_ <= kMaxReplyBytes) return false;
  if (rest_ != nullptr) rest_->TakeBack(begin_);
  reply_.buffer().resize(begin_);
  reply_.Error(kReplyTooLarge);
  return true;
}

}  // namespace kiwi::commands
