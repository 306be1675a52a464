// LCS: the longest common subsequence of two strings.
//
// The classic table of (|a| + 1) * (|b| + 1) lengths, of which only two rows are kept; to walk back
// from its end one needs of each cell only whether the way led up or left, which is one bit.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/function_ref.h"
#include "base/numbers.h"
#include "commands/args.h"
#include "commands/rest.h"
#include "keyspace/types/string_value.h"
#include "keyspace/types/value_walk.h"

namespace kiwi::commands {
namespace {

using keyspace::Object;
using keyspace::StringScratch;
using keyspace::StringWalk;
using keyspace::Type;
using protocol::ReplyWriter;

// So few cells are compared under the locks, and without a pause.
constexpr size_t kCellsAtOnce = 64 << 10;

// A run of bytes that both strings have in common; inclusive positions.
struct Match {
  size_t a_start, a_end;
  size_t b_start, b_end;
  size_t length() const { return a_end - a_start + 1; }
};

class Subsequence {
 public:
  // With `trace`, Walk may follow.
  // pause is called now and then.
  Subsequence(std::string_view a, std::string_view b, bool trace, FunctionRef<void()> pause)
      : a_(a), b_(b) {
    std::vector<uint32_t> above(b.size() + 1, 0);
    std::vector<uint32_t> row(b.size() + 1, 0);
    if (trace) went_up_.resize(a.size() * b.size());
    size_t cells = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      for (size_t j = 0; j < b.size(); ++j) {
        if (a[i] == b[j]) {
          row[j + 1] = above[j] + 1;
          continue;
        }
        const bool up = above[j + 1] > row[j];
        row[j + 1] = up ? above[j + 1] : row[j];
        if (trace && up) went_up_[i * b.size() + j] = true;
      }
      above.swap(row);
      if ((cells += b.size()) < kCellsAtOnce) continue;
      pause();
      cells = 0;
    }
    length_ = above[b.size()];
  }

  size_t length() const { return length_; }

  // From the end to the start, as Redis orders the matches.
  void Walk(std::string* text, std::vector<Match>* matches) const {
    text->resize(length_);
    size_t at = length_;
    bool extends = false;
    for (size_t i = a_.size(), j = b_.size(); i > 0 && j > 0;) {
      if (a_[i - 1] == b_[j - 1]) {
        --i, --j;
        (*text)[--at] = a_[i];
        if (extends) {
          matches->back().a_start = i;
          matches->back().b_start = j;
        } else {
          matches->push_back({i, i, j, j});
        }
        extends = true;
      } else {
        went_up_[(i - 1) * b_.size() + j - 1] ? --i : --j;
        extends = false;
      }
    }
  }

 private:
  const std::string_view a_;
  const std::string_view b_;
  size_t length_ = 0;
  std::vector<bool> went_up_;
};

struct LcsOptions {
  bool length = false;
  bool indexes = false;
  bool with_lengths = false;
  int64_t min_length = 0;
};

bool ParseLcsOptions(Context& ctx, LcsOptions* options) {
  for (size_t i = 3; i < ctx.args.size(); ++i) {
    const std::string_view option = ctx.args[i];
    if (EqualsIgnoreCase(option, "idx")) {
      options->indexes = true;
    } else if (EqualsIgnoreCase(option, "len")) {
      options->length = true;
    } else if (EqualsIgnoreCase(option, "withmatchlen")) {
      options->with_lengths = true;
    } else if (EqualsIgnoreCase(option, "minmatchlen") && i + 1 < ctx.args.size()) {
      if (!IntArg(ctx, ctx.args[++i], &options->min_length)) return false;
    } else {
      ctx.reply.Error(kSyntaxError);
      return false;
    }
  }
  if (options->indexes && options->length) {
    ctx.reply.Error("ERR If you want both the length and indexes, please just use IDX.");
    return false;
  }
  return true;
}

// Redis keeps four bytes a cell and refuses where that would pass the limit of a string; so do we,
// since it bounds the time as well.
bool CheckCost(Context& ctx, size_t a_size, size_t b_size) {
  const auto cells = static_cast<unsigned __int128>(a_size + 1) * (b_size + 1);
  if (cells * 4 <= static_cast<unsigned __int128>(kMaxStringBytes)) return true;
  ctx.reply.Error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  return false;
}

void ReplyRange(ReplyWriter& reply, size_t start, size_t end) {
  reply.Array(2);
  reply.Integer(static_cast<int64_t>(start));
  reply.Integer(static_cast<int64_t>(end));
}

void ReplyMatches(ReplyWriter& reply, const LcsOptions& options, std::vector<Match> matches,
                  size_t length) {
  std::erase_if(matches, [&](const Match& match) {
    return static_cast<int64_t>(match.length()) < options.min_length;
  });
  reply.Map(2);
  reply.Bulk("matches");
  reply.Array(matches.size());
  for (const Match& match : matches) {
    reply.Array(options.with_lengths ? 3 : 2);
    ReplyRange(reply, match.a_start, match.a_end);
    ReplyRange(reply, match.b_start, match.b_end);
    if (options.with_lengths) reply.Integer(static_cast<int64_t>(match.length()));
  }
  reply.Bulk("len");
  reply.Integer(static_cast<int64_t>(length));
}

void Compare(ReplyWriter& reply, const LcsOptions& options, std::string_view a, std::string_view b,
             FunctionRef<void()> pause) {
  const Subsequence common(a, b, !options.length, pause);
  if (options.length) return reply.Integer(static_cast<int64_t>(common.length()));
  std::string text;
  std::vector<Match> matches;
  common.Walk(&text, &matches);
  if (options.indexes) return ReplyMatches(reply, options, std::move(matches), common.length());
  reply.Bulk(text);
}

// A string that outlives its lock.
struct HeldString {
  HeldString(Context& ctx, const Object* object, std::string_view bytes) {
    if (bytes.size() > kMaxBytesAtOnce && StringWalk::Can(*object)) {
      walk = std::make_unique<StringWalk>(ctx.keyspace, *object, 0, bytes.size());
    } else {
      copy = bytes;
    }
  }
  std::string_view Bytes() {
    if (walk != nullptr) walk->AppendTo(&copy);
    walk.reset();
    return copy;
  }

  std::string copy;
  std::unique_ptr<StringWalk> walk;
};

void Lcs(Context& ctx) {
  const Object* objects[2] = {ctx.db.Find(ctx.args[1]), ctx.db.Find(ctx.args[2])};
  StringScratch scratch[2];
  std::string_view bytes[2];
  for (int i = 0; i < 2; ++i) {
    if (objects[i] == nullptr) continue;
    if (objects[i]->type() != Type::kString) {
      return ctx.reply.Error("ERR The specified keys must contain string values");
    }
    bytes[i] = StringBytes(*objects[i], scratch[i]);
  }
  LcsOptions options;
  if (!ParseLcsOptions(ctx, &options) || !CheckCost(ctx, bytes[0].size(), bytes[1].size())) return;

  const bool few = (bytes[0].size() + 1) * (bytes[1].size() + 1) <= kCellsAtOnce;
  if (few || ctx.rest == nullptr) return Compare(ctx.reply, options, bytes[0], bytes[1], [] {});
  if (!ctx.rest->Accepts()) return;
  const auto a = std::make_shared<HeldString>(ctx, objects[0], bytes[0]);
  const auto b = std::make_shared<HeldString>(ctx, objects[1], bytes[1]);
  ctx.rest->Add(ctx.reply, 0, [a, b, options, &keyspace = ctx.keyspace](ReplyWriter& reply) {
    Compare(reply, options, a->Bytes(), b->Bytes(), [&] { keyspace.BetweenHolds(); });
    return true;
  });
}

constexpr CommandRow kRows[] = {
    {.name = "lcs",
     .handler = Lcs,
     .arity = -3,
     .flags = kReadOnly,
     .keys = {1, 2, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "7.0.0",
     .complexity = "O(N*M) where N and M are the lengths of the two strings",
     .summary = "Answers the longest common subsequence of two strings, or where it lies.",
     .key_flags = kKeyRO | kKeyAccess},
};

}  // namespace

std::span<const CommandRow> LcsCommands() { return kRows; }

}  // namespace kiwi::commands
