// What handlers share: reading arguments, looking keys up by type, and the error texts that many
// commands have in common. A function that returns bool has written the error reply when it returns
// false; the handler then just returns.
#pragma once

#include <cstdint>
#include <string_view>

#include "commands/command.h"
#include "keyspace/keyspace.h"

namespace kiwi::commands {

inline constexpr std::string_view kSyntaxError = "ERR syntax error";
inline constexpr std::string_view kWrongType =
    "WRONGTYPE Operation against a key holding the wrong kind of value";
inline constexpr std::string_view kNotInteger = "ERR value is not an integer or out of range";
inline constexpr std::string_view kNotFloat = "ERR value is not a valid float";
inline constexpr std::string_view kNoSuchKey = "ERR no such key";
inline constexpr std::string_view kSameObject = "ERR source and destination objects are the same";
inline constexpr std::string_view kDbOutOfRange = "ERR DB index is out of range";
inline constexpr std::string_view kIncrementOverflow = "ERR increment or decrement would overflow";
inline constexpr std::string_view kIncrementNan = "ERR increment would produce NaN or Infinity";

// The longest string that a command may build. It is a constant and not proto-max-bulk-len of the
// configuration, because apply must decide alike on every node.
inline constexpr int64_t kMaxStringBytes = 512LL << 20;

// ASCII only; `lower` is in lower case.
bool EqualsIgnoreCase(std::string_view text, std::string_view lower);
// Up to the first NUL: how Redis prints an argument inside an error text.
std::string_view UpToNul(std::string_view text);

bool IntArg(Context& ctx, std::string_view text, int64_t* value);
// Within [min, max]; outside of it the error names the bounds, as Redis's getRangeLong does.
bool RangeArg(Context& ctx, std::string_view text, int64_t min, int64_t max, int64_t* value);
// A database's number: an int within the configured count.
bool DbArg(Context& ctx, std::string_view text, int* index);

// Looks the key up and notes the access. True: *object is null (missing) or of that type.
bool FindOfType(Context& ctx, std::string_view key, keyspace::Type type,
                const keyspace::Object** object);

// "ERR wrong number of arguments for '<name>' command", for shapes that an arity cannot express.
void ReplyArityError(Context& ctx, std::string_view name);

// Makes an absolute time of an expiry argument. Errors: not an integer; "invalid expire time in
// '<name>' command" where it overflows and, for `positive_only`, where it is not above 0.
struct ExpireUnit {
  bool seconds = false;
  bool relative = false;
};
bool ExpireArg(Context& ctx, std::string_view text, ExpireUnit unit, bool positive_only,
               std::string_view name, int64_t* at_ms);

// Bounds replies that can be far larger than request and data together (MGET of one big key many
// times, HRANDFIELD with a negative count): a server that runs out of memory helps nobody.
class ReplyBound {
 public:
  explicit ReplyBound(Context& ctx) : ReplyBound(ctx.reply, ctx.rest) {}
  explicit ReplyBound(protocol::ReplyWriter& reply, Rest* rest = nullptr);
  // Before anything is written: false when so many bulk strings cannot fit; the error is written.
  bool Admits(uint64_t bulks);
  // True: the reply was taken back and replaced by an error; return at once.
  bool Exceeded();

 private:
  size_t Bytes() const;  // written, and left to the rest

  protocol::ReplyWriter& reply_;
  Rest* const rest_;
  const size_t begin_;
  const size_t before_;
};

}  // namespace kiwi::commands
