// A damaged directory is refused with the file's name, or all of its data is served. Never less.
#include "testing/damage.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "storage/factory.h"
#include "testing/temp_dir.h"

namespace kiwi::storage {
namespace {

using kiwi::testing::CopyDirectory;
using kiwi::testing::DamageFile;
using kiwi::testing::FilesLike;
using kiwi::testing::ReadFile;
using kiwi::testing::TempDir;
using kiwi::testing::WriteFile;

std::string Key(int i) { return "key" + std::to_string(10000 + i); }
std::string Value(int i) {
  Random random(static_cast<uint64_t>(i) + 1);
  std::string value(100 + random.Below(3000), '\0');
  for (char& c : value) c = static_cast<char>(random.Next());
  return value;
}

class Damage : public ::testing::TestWithParam<std::string> {
 protected:
  static constexpr int kKeys = 120;

  BackendOptions options(const std::string& path) const {
    BackendOptions options;
    options.name = GetParam();
    options.path = path;
    options.profile = Profile::kLog;
    return options;
  }
  std::unique_ptr<Backend> MustOpen(const std::string& path) {
    auto opened = OpenBackend(options(path));
    if (!opened.ok()) throw std::runtime_error(opened.status().ToString());
    return std::move(opened).value();
  }

  // Keys 0.. to kKeys, synced one by one; the first half in a table, the rest in the log.
  void Prepare() {
    const auto backend = MustOpen(original_);
    for (int i = 0; i < kKeys; ++i) {
      const auto batch = backend->NewBatch();
      batch->Put(Key(i), Value(i));
      ASSERT_TRUE(backend->Write({true}, batch.get()).ok());
      if (i == kKeys / 2) {
        ASSERT_TRUE(backend->Flush().ok());
      }
    }
    // As a crash would leave it: an orderly close may tidy up.
    CopyDirectory(original_, pristine_);
  }

  // How many keys from 0 on are served. -1: refused. Wrong data and holes are failures.
  int Open(const std::string& path, Status* error) {
    auto opened = OpenBackend(options(path));
    if (!opened.ok()) {
      *error = opened.status();
      return -1;
    }
    // A walk over all must not step over what it cannot read.
    int walked = 0;
    const auto it = (*opened)->NewIterator({});
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      EXPECT_EQ(it->key(), Key(walked));
      EXPECT_EQ(it->value(), Value(walked));
      ++walked;
    }
    if (!it->status().ok()) {
      *error = it->status();
      return -1;
    }
    int served = 0;
    bool ended = false;
    for (int i = 0; i < kKeys; ++i) {
      std::string value;
      const Status status = (*opened)->Get({}, Key(i), &value);
      if (status.ok()) {
        EXPECT_FALSE(ended) << "a hole before key " << i;
        EXPECT_EQ(value, Value(i)) << i;
        ++served;
      } else if (status.code() == StatusCode::kNotFound) {
        ended = true;
      } else {
        *error = status;  // a table's damage may show at the first read
        return -1;
      }
    }
    EXPECT_EQ(walked, served);
    return served;
  }

  // `rounds` copies with one random damage each to a file like `part`.
  void DamageOneOf(const std::string& part, uint64_t rounds) {
    Prepare();
    const auto names = FilesLike(pristine_, part);
    ASSERT_FALSE(names.empty()) << part;
    int refused = 0;
    for (uint64_t seed = 1; seed <= rounds; ++seed) {
      CopyDirectory(pristine_, copy_);
      Random random(seed * 7919);
      const std::string& name = names[random.Below(names.size())];
      const std::string what = DamageFile(copy_ + "/" + name, &random);
      SCOPED_TRACE("seed " + std::to_string(seed) + ": " + what);
      Status error;
      const int served = Open(copy_, &error);
      if (served >= 0) {
        EXPECT_EQ(served, kKeys) << "acknowledged data is lost silently";
        continue;
      }
      ++refused;
      EXPECT_EQ(error.code(), StatusCode::kCorruption) << error.ToString();
      EXPECT_NE(error.message().find(name), std::string_view::npos) << error.ToString();
    }
    EXPECT_GT(refused, 0) << "the damage was never noticed: is the test itself blind?";
  }

  TempDir dir_;
  const std::string original_ = dir_.Child("original");
  const std::string pristine_ = dir_.Child("pristine");
  const std::string copy_ = dir_.Child("copy");
};

TEST_P(Damage, InTheLogIsRefused) { DamageOneOf(".log", 150); }
TEST_P(Damage, InATableIsRefused) { DamageOneOf(GetParam() == "rocksdb" ? ".sst" : ".ldb", 80); }
TEST_P(Damage, InTheManifestIsRefused) { DamageOneOf("MANIFEST", 80); }
TEST_P(Damage, InCurrentIsRefused) { DamageOneOf("CURRENT", 30); }

// Every byte of the last record: that is where torn and damaged are hard to tell apart.
TEST_P(Damage, InTheLastRecordIsRefused) {
  Prepare();
  const auto logs = FilesLike(pristine_, ".log");
  const std::string& name = logs.back();
  const std::string bytes = ReadFile(pristine_ + "/" + name);
  const size_t last = Value(kKeys - 1).size();
  for (size_t back = 1; back < last + 60; back += back < last - 20 ? 97 : 1) {
    CopyDirectory(pristine_, copy_);
    std::string damaged = bytes;
    damaged[bytes.size() - back] ^= static_cast<char>(1u << (back % 8));
    WriteFile(copy_ + "/" + name, damaged);
    Status error;
    const int served = Open(copy_, &error);
    EXPECT_EQ(served, -1) << back << " bytes before the end";
    EXPECT_NE(error.message().find(name), std::string_view::npos) << error.ToString();
  }
}

TEST_P(Damage, ATornLastRecordIsCutOffAndWritingGoesOn) {
  Prepare();
  const std::string name = FilesLike(pristine_, ".log").back();
  const std::string bytes = ReadFile(pristine_ + "/" + name);
  Random random(4711);
  for (int round = 0; round < 40; ++round) {
    CopyDirectory(pristine_, copy_);
    const size_t size =
        round < 10 ? bytes.size() - 1 - static_cast<size_t>(round) : random.Below(bytes.size());
    WriteFile(copy_ + "/" + name, bytes.substr(0, size));
    Status error;
    const int served = Open(copy_, &error);
    ASSERT_GE(served, kKeys / 2) << "cut to " << size << ": " << error.ToString();
    ASSERT_LT(served, kKeys);
    {
      const auto backend = MustOpen(copy_);
      const auto batch = backend->NewBatch();
      batch->Put(Key(served), Value(served));
      ASSERT_TRUE(backend->Write({true}, batch.get()).ok());
    }
    ASSERT_EQ(Open(copy_, &error), served + 1);
  }
}

// What a crash leaves when the file's length reached the disk and its last blocks did not.
TEST_P(Damage, AnUnwrittenTailIsCutOff) {
  Prepare();
  const std::string name = FilesLike(pristine_, ".log").back();
  const std::string bytes = ReadFile(pristine_ + "/" + name);
  for (size_t sectors = 1; sectors <= 12; ++sectors) {
    CopyDirectory(pristine_, copy_);
    std::string torn = bytes;
    const size_t from = (bytes.size() / 512 - sectors) * 512;
    torn.replace(from, std::string::npos, bytes.size() - from, '\0');
    WriteFile(copy_ + "/" + name, torn);
    Status error;
    const int served = Open(copy_, &error);
    EXPECT_GE(served, kKeys / 2) << error.ToString();
    EXPECT_LT(served, kKeys);
  }
}

// The engines take a zeroed header for the end of the log, or skip the block.
TEST_P(Damage, ZeroedSectorsInTheMiddleAreRefused) {
  Prepare();
  const std::string name = FilesLike(pristine_, ".log").back();
  const std::string bytes = ReadFile(pristine_ + "/" + name);
  for (size_t at = 0; at + 8192 < bytes.size(); at += 4096) {
    CopyDirectory(pristine_, copy_);
    std::string damaged = bytes;
    damaged.replace(at, 512, 512, '\0');
    WriteFile(copy_ + "/" + name, damaged);
    Status error;
    EXPECT_EQ(Open(copy_, &error), -1) << at;
    EXPECT_NE(error.message().find(name), std::string_view::npos) << error.ToString();
  }
}

TEST_P(Damage, AMissingCurrentDoesNotMeanANewDatabase) {
  Prepare();
  CopyDirectory(pristine_, copy_);
  std::filesystem::remove(copy_ + "/CURRENT");
  Status error;
  EXPECT_EQ(Open(copy_, &error), -1);
  EXPECT_NE(error.message().find("CURRENT"), std::string_view::npos) << error.ToString();
}

TEST_P(Damage, AMissingTableIsRefused) {
  Prepare();
  const auto tables = FilesLike(pristine_, GetParam() == "rocksdb" ? ".sst" : ".ldb");
  CopyDirectory(pristine_, copy_);
  std::filesystem::remove(copy_ + "/" + tables.front());
  Status error;
  EXPECT_EQ(Open(copy_, &error), -1);
}

// The edit says that the log before was flushed to a table and may go. Without it the engine would
// look for a log that is gone, find none, and be content.
TEST_P(Damage, ALostVersionEditIsRefused) {
  Prepare();
  const std::string name = FilesLike(pristine_, "MANIFEST").back();
  const std::string bytes = ReadFile(pristine_ + "/" + name);
  int refused = 0;
  for (size_t cut = 1; cut < 40; cut += 3) {
    CopyDirectory(pristine_, copy_);
    WriteFile(copy_ + "/" + name, bytes.substr(0, bytes.size() - cut));
    Status error;
    const int served = Open(copy_, &error);
    EXPECT_TRUE(served == -1 || served == kKeys) << "without the last " << cut << " bytes";
    if (served == -1) ++refused;
  }
  EXPECT_GT(refused, 3);
}

INSTANTIATE_TEST_SUITE_P(All, Damage, ::testing::Values("rocksdb", "leveldb"),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace kiwi::storage
