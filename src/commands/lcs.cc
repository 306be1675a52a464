// LCS: the longest common subsequence of two strings.
//
// The classic table of (|a| + 1) * (|b| + 1) lengths, of which only two rows are kept; to walk back
// from its end one needs of each cell only whether the way led up or left, which is one bit.
#include <algorithm>
#include <string>
#include <vector>

#include "base/numbers.h"
#include "commands/args.h"
#include "keyspace/types/string_value.h"

namespace kiwi::commands {
namespace {

using keyspace::Object;
using keyspace::StringScratch;
using keyspace::Type;

// A run of bytes that both strings have in common; inclusive positions.
struct Match {
  size_t a_start, a_end;
  size_t b_start, b_end;
  size_t length() const { return a_end - a_start + 1; }
};

class Subsequence {
 public:
  // With `trace`, Walk may follow.
  Subsequence(std::string_view a, std::string_view b, bool trace) : a_(a), b_(b) {
    std::vector<uint32_t> above(b.size() + 1, 0);
    std::vector<uint32_t> row(b.size() + 1, 0);
    if (trace) went_up_.resize(a.size() * b.size());
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

void ReplyRange(Context& ctx, size_t start, size_t end) {
  ctx.reply.Array(2);
  ctx.reply.Integer(static_cast<int64_t>(start));
  ctx.reply.Integer(static_cast<int64_t>(end));
}

void ReplyMatches(Context& ctx, const LcsOptions& options, std::vector<Match> matches,
                  size_t length) {
  std::erase_if(matches, [&](const Match& match) {
    return static_cast<int64_t>(match.length()) < options.min_length;
  });
  ctx.reply.Map(2);
  ctx.reply.Bulk("matches");
  ctx.reply.Array(matches.size());
  for (const Match& match : matches) {
    ctx.reply.Array(options.with_lengths ? 3 : 2);
    ReplyRange(ctx, match.a_start, match.a_end);
    ReplyRange(ctx, match.b_start, match.b_end);
    if (options.with_lengths) ctx.reply.Integer(static_cast<int64_t>(match.length()));
  }
  ctx.reply.Bulk("len");
  ctx.reply.Integer(static_cast<int64_t>(length));
}

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

  const Subsequence common(bytes[0], bytes[1], !options.length);
  if (options.length) return ctx.reply.Integer(static_cast<int64_t>(common.length()));
  std::string text;
  std::vector<Match> matches;
  common.Walk(&text, &matches);
  if (options.indexes) return ReplyMatches(ctx, options, std::move(matches), common.length());
  ctx.reply.Bulk(text);
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
