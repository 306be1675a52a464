// Large values read in steps: strings and hashes as they are when the walk begins. The key's shard is
// held where one is made, and not afterwards (body_walk.h).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "keyspace/body_walk.h"
#include "keyspace/object.h"
#include "keyspace/types/hash_value.h"

namespace kiwi::keyspace {

// Bytes of a string that is too long to be copied at once.
class StringWalk {
 public:
  // Only such strings lie beside their object, and can be walked.
  static bool Can(const Object& object) { return object.encoding() == Encoding::kBlob; }
  StringWalk(Keyspace& keyspace, const Object& object, size_t offset, size_t size)
      : size_(size), walk_(keyspace, static_cast<Blob&>(*object.body()), offset, size) {}

  size_t size() const { return size_; }
  void AppendTo(std::string* out);

 private:
  const size_t size_;
  BlobWalk walk_;
};

// The fields at positions [begin, end) of a hash. A packed one is taken whole.
class HashWalk {
 public:
  HashWalk(Keyspace& keyspace, const Object& object, size_t begin, size_t end);
  HashWalk(Keyspace& keyspace, const Object& object)
      : HashWalk(keyspace, object, 0, HashReader(object).size()) {}

  size_t size() const { return end_ - begin_; }
  size_t begin() const { return begin_; }
  void ForEach(FunctionRef<void(HashField)> visit);

 private:
  friend class HashImage;
  std::string TakeBlock();  // of a packed hash

  const size_t begin_;
  const size_t end_;
  std::unique_ptr<TableWalk> table_;
  std::unique_ptr<BlobWalk> blob_;  // of the packed block, if it lies beside the object …
  std::string block_;               // … else here
};

// The field with its value, which outlives the lock; null: missing, or inside a packed hash.
std::shared_ptr<FieldNode> HoldField(const Object& object, std::string_view field);

// All fields of a walk, held together: for what picks among them.
class HashImage {
 public:
  explicit HashImage(HashWalk& walk);
  HashImage(const HashImage&) = delete;
  HashImage& operator=(const HashImage&) = delete;

  size_t size() const { return fields_.size(); }
  HashField At(size_t i) const { return fields_[i]; }
  void ForEach(FunctionRef<void(HashField)> visit) const {
    for (const HashField& field : fields_) visit(field);
  }

 private:
  std::string block_;                                 // what the fields lie in …
  std::vector<std::unique_ptr<FieldsImage>> images_;  // … or these
  std::vector<HashField> fields_;
};

}  // namespace kiwi::keyspace
