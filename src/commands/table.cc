#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "commands/command.h"

namespace kiwi::commands {
namespace {

// The server's families come first only where order shows: COMMAND LIST answers in this order.
constexpr std::span<const CommandRow> (*kFamilies[])() = {
    StringCommands,  StringRangeCommands, NumericCommands,       LcsCommands,
    HashCommands,    HashReadCommands,    GenericCommands,       ExpireCommands,
    ScanCommands,    ObjectCommands,      DumpCommands,          ConnectionCommands,
    ClientCommands,  ServerCommands,      KeyspaceAdminCommands, InfoCommands,
    ConfigCommands,  CommandCommands,     MemoryCommands,        SlowlogCommands,
    LatencyCommands, DebugCommands,       FunctionCommands,      TransactionCommands,
    RaftCommands,    FaultCommands,       LimitCommands,         ClusterCommands,
    AclCommands,
};

// How much of names and arguments an error text repeats.
constexpr size_t kShownBytes = 128;

constexpr size_t kMaxNameBytes = 23;

// A name in lower case as three words, its length in the last byte: two names are equal when their
// words are.
using PackedName = std::array<uint64_t, 3>;

uint64_t LoadUpTo8(const char* p, size_t n) {
  if (n >= 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    return word;
  }
  if (n >= 4) {  // two loads that may overlap
    uint32_t low, high;
    std::memcpy(&low, p, 4);
    std::memcpy(&high, p + n - 4, 4);
    return low | (uint64_t{high} << (8 * (n - 4)));
  }
  uint64_t word = 0;
  for (size_t i = 0; i < n; ++i) word |= uint64_t{static_cast<unsigned char>(p[i])} << (8 * i);
  return word;
}

// Eight ASCII letters at once: a byte is an upper-case letter when adding what lacks to 'A' sets
// its top bit and adding what lacks to '[' does not.
uint64_t ToLower8(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101ULL;
  const uint64_t low = word & (kOnes * 0x7f);
  const uint64_t upper = ((low + kOnes * (0x80 - 'A')) & ~(low + kOnes * (0x80 - '['))) & ~word;
  return word | ((upper & (kOnes * 0x80)) >> 2);
}

bool Pack(std::string_view name, PackedName* packed) {
  if (name.empty() || name.size() > kMaxNameBytes) return false;
  const size_t n = name.size();
  *packed = {ToLower8(LoadUpTo8(name.data(), n)), 0, 0};
  if (n > 8) (*packed)[1] = ToLower8(LoadUpTo8(name.data() + 8, n - 8));
  if (n > 16) (*packed)[2] = ToLower8(LoadUpTo8(name.data() + 16, n - 16));
  (*packed)[2] |= uint64_t{n} << 56;
  return true;
}

std::string Upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 0x20);
  }
  return upper;
}

// As printf's "%.*s" takes it: ends at a NUL or after `limit` bytes.
std::string_view Shown(std::string_view text, size_t limit) {
  return text.substr(0, std::min(text.find('\0'), limit));
}

// The argument positions that `keys` stands for; false when argc is too small for them.
bool KeyBounds(const KeyRange& keys, size_t argc, int* last) {
  const int count = static_cast<int>(argc);
  *last = keys.last < 0 ? count + keys.last : keys.last;
  return keys.first < count && *last < count && *last >= keys.first;
}

}  // namespace

// Open addressing over the packed names; a subcommand is found under its container's id.
struct CommandTable::Impl {
  std::vector<Command> commands;
  std::vector<const Command*> by_id;
  std::vector<PackedName> names;  // by id
  std::vector<uint16_t> parents;  // by id; kTopLevel for a command of its own
  std::vector<uint16_t> slots;    // id, or kEmpty; a power of two, at most a quarter full
  uint64_t mask = 0;

  static constexpr uint16_t kTopLevel = 0xffff;
  static constexpr uint16_t kEmpty = 0xffff;

  Impl();
  void Number(Command& command);
  void Insert(uint16_t id);
  uint64_t Slot(const PackedName& name, uint16_t parent) const {
    uint64_t hash = (name[0] ^ parent) * 0x9e3779b97f4a7c15ULL;
    hash ^= (name[1] ^ (name[2] >> 7) ^ (hash >> 29)) * 0xbf58476d1ce4e5b9ULL;
    return (hash >> 40) & mask;
  }
  const Command* Lookup(std::string_view name, uint16_t parent) const;
};

CommandTable::Impl::Impl() {
  for (const auto family : kFamilies) {
    for (const CommandRow& row : family()) {
      Command& command = commands.emplace_back();
      command.row = &row;
      command.full_name = row.name;
      for (const CommandRow& sub_row : row.subcommands) {
        Command& sub = command.subcommands.emplace_back();
        sub.row = &sub_row;
        sub.full_name = std::string(row.name) + "|" + std::string(sub_row.name);
      }
    }
  }
  for (Command& command : commands) {  // only now, when nothing moves any more
    Number(command);
    for (Command& sub : command.subcommands) {
      sub.parent = &command;
      Number(sub);
    }
  }
  size_t size = 64;
  while (size < by_id.size() * 4) size *= 2;
  slots.assign(size, kEmpty);
  mask = size - 1;
  for (size_t id = 0; id < by_id.size(); ++id) Insert(static_cast<uint16_t>(id));
}

void CommandTable::Impl::Number(Command& command) {
  command.id = static_cast<int>(by_id.size());
  by_id.push_back(&command);
  PackedName packed;
  KIWI_CHECK(Pack(command.row->name, &packed), "a command's name is empty or too long");
  names.push_back(packed);
  parents.push_back(command.parent ? static_cast<uint16_t>(command.parent->id) : kTopLevel);
  KIWI_CHECK(by_id.size() < kEmpty, "too many commands");
}

void CommandTable::Impl::Insert(uint16_t id) {
  KIWI_CHECK(Lookup(by_id[id]->row->name, parents[id]) == nullptr, "two commands of one name");
  uint64_t slot = Slot(names[id], parents[id]);
  while (slots[slot] != kEmpty) slot = (slot + 1) & mask;
  slots[slot] = id;
}

const Command* CommandTable::Impl::Lookup(std::string_view name, uint16_t parent) const {
  PackedName packed;
  if (!Pack(name, &packed)) return nullptr;
  for (uint64_t slot = Slot(packed, parent);; slot = (slot + 1) & mask) {
    const uint16_t id = slots[slot];
    if (id == kEmpty) return nullptr;
    if (names[id] == packed && parents[id] == parent) return by_id[id];
  }
}

CommandTable::CommandTable() : impl_(new Impl) {}

const CommandTable& CommandTable::Get() {
  static const CommandTable& table =
      *new CommandTable;  // never destroyed: threads may outlive main
  return table;
}

const Command* CommandTable::Find(Args args) const {
  if (args.empty()) return nullptr;
  const Command* command = impl_->Lookup(args[0], Impl::kTopLevel);
  if (command == nullptr || command->subcommands.empty() || args.size() == 1) return command;
  return impl_->Lookup(args[1], static_cast<uint16_t>(command->id));
}

const Command* CommandTable::FindByName(std::string_view full_name) const {
  const size_t bar = full_name.find('|');
  const Command* command = impl_->Lookup(full_name.substr(0, bar), Impl::kTopLevel);
  if (command == nullptr || bar == std::string_view::npos) return command;
  return impl_->Lookup(full_name.substr(bar + 1), static_cast<uint16_t>(command->id));
}

std::span<const Command> CommandTable::commands() const { return impl_->commands; }
int CommandTable::id_count() const { return static_cast<int>(impl_->by_id.size()); }

const Command& CommandTable::ById(int id) const {
  KIWI_CHECK(id >= 0 && id < id_count(), "no command has this id");
  return *impl_->by_id[static_cast<size_t>(id)];
}

std::string CommandTable::UnknownCommandError(Args args) {
  if (args.empty()) return "ERR unknown command ''";
  const Command* command = Get().impl_->Lookup(args[0], Impl::kTopLevel);
  std::string text;
  if (command != nullptr && !command->subcommands.empty() && args.size() > 1) {
    text = "ERR unknown subcommand '" + std::string(Shown(args[1], kShownBytes)) + "'. Try " +
           Upper(Shown(args[0], std::string_view::npos)) + " HELP.";
  } else {
    std::string list;
    for (size_t i = 1; i < args.size() && list.size() < kShownBytes; ++i) {
      list += "'";
      list += Shown(args[i], kShownBytes + 1 - list.size());
      list += "' ";
    }
    text = "ERR unknown command '" + std::string(Shown(args[0], kShownBytes)) +
           "', with args beginning with: " + list;
  }
  for (char& c : text) {
    if (c == '\r' || c == '\n') c = ' ';
  }
  return text;
}

bool CommandTable::ArityOk(const Command& command, size_t argc) {
  const int arity = command.row->arity;
  return arity >= 0 ? argc == static_cast<size_t>(arity) : argc >= static_cast<size_t>(-arity);
}

std::string CommandTable::ArityError(const Command& command) {
  return "ERR wrong number of arguments for '" + command.full_name + "' command";
}

bool CommandTable::KeyPositions(const Command& command, Args args, std::vector<int>* positions) {
  const CommandRow& row = *command.row;
  if (row.find_keys != nullptr) return row.find_keys(args, positions);
  if (row.keys.first == 0) return true;
  int last = 0;
  if (!KeyBounds(row.keys, args.size(), &last)) return false;
  for (int i = row.keys.first; i <= last; i += row.keys.step) positions->push_back(i);
  return true;
}

keyspace::ShardSet CommandTable::Shards(const Command& command, Args args) {
  const CommandRow& row = *command.row;
  keyspace::ShardSet shards;
  if (command.Is(kAllShards)) {
    shards.AddAll();
  } else if (row.find_keys != nullptr) {
    std::vector<int> positions;
    if (row.find_keys(args, &positions)) {
      for (const int i : positions) shards.AddKey(args[static_cast<size_t>(i)]);
    }
  } else if (int last = 0; row.keys.first > 0 && KeyBounds(row.keys, args.size(), &last)) {
    for (int i = row.keys.first; i <= last; i += row.keys.step) {
      shards.AddKey(args[static_cast<size_t>(i)]);
    }
  }
  return shards;
}

uint32_t AclCategories(const CommandRow& row) {
  uint32_t categories = row.categories;
  if (row.flags & kWrite) categories |= kCatWrite;
  if (row.flags & kReadOnly) categories |= kCatRead;
  if (row.flags & kAdmin) categories |= kCatAdmin | kCatDangerous;
  if (row.flags & kPubsub) categories |= kCatPubsub;
  if (row.flags & kBlocking) categories |= kCatBlocking;
  categories |= row.flags & kFast ? kCatFast : kCatSlow;
  return categories;
}

std::vector<KeySpec> KeySpecs(const CommandRow& row) {
  if (!row.key_specs.empty()) return {row.key_specs.begin(), row.key_specs.end()};
  if (row.keys.first == 0) return {};
  const auto last =
      row.keys.last < 0 ? row.keys.last : static_cast<int8_t>(row.keys.last - row.keys.first);
  return {{.flags = row.key_flags, .begin = row.keys.first, .last = last, .step = row.keys.step}};
}

}  // namespace kiwi::commands
