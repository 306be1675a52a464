// A command is one row (name, arity, flags, keys, documentation) and one function. COMMAND, key
// extraction, locking, ACL, metrics and the fuzz dictionary all follow from the row.
//
// How a row's flags decide its path:
//   kWrite      encoded into a Raft entry; the handler runs in the applier, on every node, under
//               exclusive locks of its keys' shards. Deterministic: no clock, randomness, address.
//   kReadOnly   the handler runs at a linearizable point under shared locks of its keys' shards.
//   neither     touches no key: the handler runs at once (connection and server commands).
//   kAllShards  locks the whole keyspace (KEYS, FLUSHALL, DBSIZE …) instead of its keys.
//   kFast       O(1) or O(log n): a net loop may run it; anything else goes to a worker.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "keyspace/keyspace.h"
#include "protocol/reply_writer.h"

namespace kiwi::commands {

enum Flag : uint32_t {
  kWrite = 1u << 0,
  kReadOnly = 1u << 1,
  kDenyOom = 1u << 2,
  kAdmin = 1u << 3,
  kPubsub = 1u << 4,
  kNoScript = 1u << 5,
  kBlocking = 1u << 6,
  kLoading = 1u << 7,
  kStale = 1u << 8,
  kSkipMonitor = 1u << 9,
  kSkipSlowlog = 1u << 10,
  kAsking = 1u << 11,
  kFast = 1u << 12,
  kNoAuth = 1u << 13,
  kMayReplicate = 1u << 14,
  kSentinel = 1u << 15,
  kNoMandatoryKeys = 1u << 16,
  kProtected = 1u << 17,
  kNoAsyncLoading = 1u << 18,
  kNoMulti = 1u << 19,
  kAllowBusy = 1u << 20,
  kMovableKeys = 1u << 21,
  // Kiwi's own; not shown by COMMAND.
  kAllShards = 1u << 24,
  kTransaction = 1u << 25,  // MULTI, EXEC, DISCARD, WATCH, UNWATCH: the session runs it
  kInternal = 1u << 26,     // proposed by the server itself: unknown to clients and to COMMAND
  // kFast as Redis flags it, but the cost grows with the number of arguments (MGET, HMGET, EXISTS
  // …): a net loop runs it only while they are few.
  kPerArgument = 1u << 27,
  // Cheap enough for a net loop although Redis does not flag it fast (SET and its kin).
  kCheap = 1u << 28,
  // Reads the keyspace by ServerView::ReadKeyspace, at a linearizable point like kReadOnly, although
  // Redis does not flag it so.
  kReadsKeyspace = 1u << 30,
  kAwaitsReplicas = 1u << 29,  // WAIT: may be put off, without a thread, until others have the log
};

enum class Group : uint8_t {
  kGeneric,
  kString,
  kList,
  kSet,
  kSortedSet,
  kHash,
  kPubsub,
  kTransactions,
  kConnection,
  kServer,
  kScripting,
  kHyperloglog,
  kCluster,
  kGeo,
  kStream,
  kBitmap,
  kRaft,
};

// ACL categories, as ACL CAT names them; those that follow from flags (read, write, fast, slow,
// admin, dangerous, blocking, pubsub …) are derived.
enum Category : uint32_t {
  kCatKeyspace = 1u << 0,
  kCatRead = 1u << 1,
  kCatWrite = 1u << 2,
  kCatSet = 1u << 3,
  kCatSortedSet = 1u << 4,
  kCatList = 1u << 5,
  kCatHash = 1u << 6,
  kCatString = 1u << 7,
  kCatBitmap = 1u << 8,
  kCatHyperloglog = 1u << 9,
  kCatGeo = 1u << 10,
  kCatStream = 1u << 11,
  kCatPubsub = 1u << 12,
  kCatAdmin = 1u << 13,
  kCatFast = 1u << 14,
  kCatSlow = 1u << 15,
  kCatBlocking = 1u << 16,
  kCatDangerous = 1u << 17,
  kCatConnection = 1u << 18,
  kCatTransaction = 1u << 19,
  kCatScripting = 1u << 20,
};

// Positions of keys among the arguments (the command's name is 0), as COMMAND INFO gives them. last
// below 0 counts from the end. first = 0: no keys. Rows with kMovableKeys name a function instead.
struct KeyRange {
  int8_t first = 0;
  int8_t last = 0;
  int8_t step = 0;
};

// What is done with a key, as COMMAND INFO's key specifications name it, in their order.
enum KeyFlag : uint16_t {
  kKeyRO = 1u << 0,
  kKeyRW = 1u << 1,
  kKeyOW = 1u << 2,
  kKeyRM = 1u << 3,
  kKeyAccess = 1u << 4,
  kKeyUpdate = 1u << 5,
  kKeyInsert = 1u << 6,
  kKeyDelete = 1u << 7,
  kKeyNotKey = 1u << 8,
  kKeyIncomplete = 1u << 9,
  kKeyVariableFlags = 1u << 10,
};

// One key specification (begin_search by index, find_keys by range) of COMMAND INFO.
struct KeySpec {
  uint16_t flags = 0;
  int8_t begin = 0;  // index of the first key
  int8_t last = 0;   // of the last one, relative to begin; below 0: counted from the end
  int8_t step = 1;
  std::string_view notes = {};
};

using Args = std::span<const std::string_view>;  // args[0] is the command's name as it was sent

class SessionView;  // commands/session_view.h: the connection, as far as commands may see it
class ServerView;   // commands/server_view.h: the server, likewise
class Rest;         // commands/rest.h: what a read leaves to be done behind its locks

// All that a handler sees. Lives for one call.
struct Context {
  Args args;
  keyspace::Db& db;  // at the command's moment
  keyspace::Keyspace& keyspace;
  protocol::ReplyWriter& reply;    // exactly one reply per call
  uint64_t seed = 0;               // for random picks: of the entry for writes, any for reads
  SessionView* session = nullptr;  // null for writes: they run where there is no connection
  ServerView* server = nullptr;    // null for writes
  Rest* rest = nullptr;            // null: all is done at once

  int64_t now_ms() const { return db.moment().now_ms; }   // what decides
  int64_t display_ms() const { return db.display_ms(); }  // what is shown
};

using Handler = void (*)(Context&);
// Appends the positions of the keys. False: the arguments make no sense (COMMAND GETKEYS says so).
using KeyFinder = bool (*)(Args args, std::vector<int>* positions);

struct CommandRow {
  std::string_view name;      // lower case; a subcommand's is its own part only ("getname")
  Handler handler = nullptr;  // null: a container without a call of its own, or run by the session
  int arity = 1;              // with the name; negative: at least that many
  uint32_t flags = 0;
  KeyRange keys = {};
  Group group = Group::kGeneric;
  uint32_t categories = 0;  // beyond those that flags imply (see AclCategories); group implies none
  std::string_view since = {};
  std::string_view complexity = {};
  std::string_view summary = {};
  std::span<const CommandRow> subcommands = {};
  KeyFinder find_keys = nullptr;
  uint16_t key_flags = 0;                   // of the one key specification that `keys` makes …
  std::span<const KeySpec> key_specs = {};  // … or the specifications, where that is not enough
  std::string_view tips = {};               // command tips, separated by spaces
};

// All categories of a row: the listed ones and those that its flags imply, as Redis derives them
// (write, read, admin with dangerous, pubsub, blocking, fast or slow).
uint32_t AclCategories(const CommandRow& row);
// The key specifications of a row, whether listed or made of `keys`. None: empty.
std::vector<KeySpec> KeySpecs(const CommandRow& row);

// The families: each in a file of its own, listed in table.cc.
std::span<const CommandRow> StringCommands();
std::span<const CommandRow> StringRangeCommands();
std::span<const CommandRow> NumericCommands();
std::span<const CommandRow> LcsCommands();
std::span<const CommandRow> HashCommands();
std::span<const CommandRow> HashReadCommands();
std::span<const CommandRow> GenericCommands();
std::span<const CommandRow> ExpireCommands();
std::span<const CommandRow> ScanCommands();
std::span<const CommandRow> ObjectCommands();
std::span<const CommandRow> DumpCommands();
std::span<const CommandRow> ConnectionCommands();
std::span<const CommandRow> ClientCommands();
std::span<const CommandRow> ServerCommands();
std::span<const CommandRow> KeyspaceAdminCommands();
std::span<const CommandRow> InfoCommands();
std::span<const CommandRow> ConfigCommands();
std::span<const CommandRow> CommandCommands();
std::span<const CommandRow> MemoryCommands();
std::span<const CommandRow> SlowlogCommands();
std::span<const CommandRow> LatencyCommands();
std::span<const CommandRow> DebugCommands();
std::span<const CommandRow> FunctionCommands();
std::span<const CommandRow> AclCommands();
std::span<const CommandRow> TransactionCommands();
std::span<const CommandRow> RaftCommands();
std::span<const CommandRow> FaultCommands();
std::span<const CommandRow> LimitCommands();
std::span<const CommandRow> ClusterCommands();

// What the table knows beyond a row: its full name and, for a subcommand, its container.
struct Command {
  const CommandRow* row = nullptr;
  const Command* parent = nullptr;
  std::string full_name;  // "client|getname"
  int id = 0;             // dense, for counters; stable within a process
  std::vector<Command> subcommands;

  bool Is(uint32_t flag) const { return (row->flags & flag) != 0; }
};

// Built once, immutable; any thread.
class CommandTable {
 public:
  static const CommandTable& Get();

  // By name, any case; for a container whose second argument names a subcommand, that one. Null
  // when unknown.
  const Command* Find(Args args) const;
  const Command* FindByName(std::string_view full_name) const;  // "client|getname", any case
  std::span<const Command> commands() const;  // containers' subcommands lie in them; kInternal too
  int id_count() const;                       // ids are below it
  const Command& ById(int id) const;

  // The text of the error for args that name no command, exactly as Redis 7.0 words it (unknown
  // command or unknown subcommand).
  static std::string UnknownCommandError(Args args);
  static bool ArityOk(const Command& command, size_t argc);
  static std::string ArityError(const Command& command);
  // Appends the positions of all keys. False if the arguments make no sense.
  static bool KeyPositions(const Command& command, Args args, std::vector<int>* positions);
  // The shards that must be locked.
  static keyspace::ShardSet Shards(const Command& command, Args args);

 private:
  CommandTable();
  struct Impl;
  const Impl* impl_;
};

}  // namespace kiwi::commands
