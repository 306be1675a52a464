// When keys were last modified, in a fixed number of cells that keys share by hash: the log index
// of the last modification of any key of the cell. Part of the replicated state (EXEC checks WATCH
// against it in apply), so it is stored with the checkpoint, in blocks.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "keyspace/body.h"

namespace kiwi::keyspace {

// Of one shard; guarded by its lock.
class ModifiedCells {
 public:
  static constexpr size_t kCells = 1024;
  static constexpr size_t kBlockCells = 128;
  static constexpr size_t kBlocks = kCells / kBlockCells;

  static size_t CellOf(uint64_t hash, int db) {
    return ((hash >> 8) + static_cast<uint64_t>(db) * 0x9e3779b1) % kCells;
  }
  uint64_t at(size_t cell) const { return cells_ == nullptr ? 0 : cells_[cell]; }
  void Note(size_t cell, uint64_t log_index, uint32_t generation) {
    if (cells_ == nullptr) cells_ = std::make_unique<uint64_t[]>(kCells);
    cells_[cell] = std::max(cells_[cell], log_index);
    marks_[cell / kBlockCells].changed = generation;
  }
  Mark& mark(size_t block) { return marks_[block]; }

 private:
  std::unique_ptr<uint64_t[]> cells_;  // null: all zero
  std::array<Mark, kBlocks> marks_;
};

}  // namespace kiwi::keyspace
