#include "config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <thread>

#include "config/ini_file.h"

namespace kiwi::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

using Pairs = std::vector<std::pair<std::string_view, std::string_view>>;

std::unique_ptr<Config> Parsed(std::string_view text) {
  auto config = Config::Parse(text, "k.conf", {});
  EXPECT_TRUE(config.ok()) << config.status().message();
  return std::move(config).value();
}

// Why the server would not start.
std::string Refusal(std::string_view text, std::span<const Override> overrides = {}) {
  const auto config = Config::Parse(text, "k.conf", overrides);
  EXPECT_FALSE(config.ok());
  EXPECT_EQ(config.status().code(), StatusCode::kConfig);
  return std::string(config.status().message());
}

std::string SetReply(Config* config, const Pairs& pairs) {
  const auto error = config->Set(pairs);
  return error ? error->ToString() : "OK";
}

TEST(Config, DefaultsByType) {
  const Config config;
  EXPECT_EQ(config.Get<"port">(), 6379);
  EXPECT_TRUE(config.Get<"protected-mode">());
  EXPECT_EQ(config.Get<"raft.fsync">(), "always");
  EXPECT_EQ(config.Get<"proto-max-bulk-len">(), 512 << 20);
  EXPECT_THAT(config.Get<"bind">(), ElementsAre("127.0.0.1", "-::1"));
  EXPECT_EQ(config.Get<"client-output-buffer-limit">().replica.soft_seconds, 60);
  EXPECT_EQ(config.Get<"requirepass">(), "");
}

TEST(Config, FileThenCommandLine) {
  const std::vector<Override> overrides = {{"port", {"7000"}},
                                           {"raft.fsync", {"no"}},
                                           {"port", {"7001"}},
                                           {"bind", {"10.0.0.1", "10.0.0.2"}},
                                           {"requirepass", {"a b"}}};
  const auto config = Config::Parse(
      "[network]\nport = 6000\ntimeout = 5\nrequirepass = \"x y\"\n[storage]\nmaxmemory = 1gb\n",
      "k.conf", overrides);
  ASSERT_TRUE(config.ok()) << config.status().message();
  const Config& c = **config;
  EXPECT_EQ(c.Get<"port">(), 7001);
  EXPECT_EQ(c.Get<"timeout">(), 5);
  EXPECT_EQ(c.Get<"maxmemory">(), 1 << 30);
  EXPECT_EQ(c.Get<"raft.fsync">(), "no");
  EXPECT_THAT(c.Get<"bind">(), ElementsAre("10.0.0.1", "10.0.0.2"));
  EXPECT_EQ(c.Get<"requirepass">(), "a b");
}

TEST(Config, ABadValueIsNamedWithItsPlaceAndWhatIsAllowed) {
  EXPECT_EQ(Refusal("[network]\n\nport = 99999\n"),
            "k.conf:3: [network] port = 99999: argument must be between 0 and 65535 inclusive; "
            "allowed: an integer from 0 to 65535");
  EXPECT_EQ(Refusal("[raft]\nfsync = maybe\n"),
            "k.conf:2: [raft] fsync = maybe: argument(s) must be one of the following: always, "
            "everysec, no; allowed: one of always, everysec, no");
  EXPECT_EQ(Refusal("", std::vector<Override>{{"port", {"x"}}}),
            "command line: --port x: [network] port: argument couldn't be parsed into an integer; "
            "allowed: an integer from 0 to 65535");
  EXPECT_THAT(Refusal("", std::vector<Override>{{"port", {}}}), HasSubstr("wrong number of"));
  EXPECT_THAT(Refusal("[network]\nport = 1 2\n"), HasSubstr("wrong number of arguments"));
  EXPECT_THAT(Refusal("[log]\nlogfile = \"a\n"), HasSubstr("k.conf:2: [log] logfile"));
}

TEST(Config, WhatIsUnknownIsComparedWithWhatIsKnown) {
  EXPECT_EQ(Refusal("[network]\nprot = 1\n"),
            "k.conf:2: [network] prot: unknown key; did you mean \"port\"?");
  EXPECT_EQ(Refusal("[netwrok]\nport = 1\n"),
            "k.conf:2: unknown section [netwrok]; did you mean \"network\"?");
  EXPECT_EQ(Refusal("[raft]\nmaxclients = 1\n"),
            "k.conf:2: [raft] maxclients: this key belongs to section [network]");
  EXPECT_EQ(Refusal("port = 1\n"), "k.conf:1: port stands in no [section]");
  EXPECT_EQ(Refusal("", std::vector<Override>{{"raft.fsnc", {"no"}}}),
            "command line: --raft.fsnc: unknown option; did you mean \"raft.fsync\"?");
}

TEST(Config, AKeyMayStandInTheFileOnce) {
  EXPECT_EQ(Refusal("[network]\nport = 1\n[log]\n[network]\nport = 2\n"),
            "k.conf:5: [network] port: given twice, first at k.conf:2");
  EXPECT_THAT(Refusal("[storage]\nhash-max-listpack-value = 1\nhash-max-ziplist-value = 2\n"),
              HasSubstr("given twice"));
}

TEST(Config, ValuesMustFitEachOther) {
  EXPECT_EQ(Refusal("[runtime]\nnetwork-threads-min = 9\n"),
            "k.conf:2: [runtime] network-threads-min = 9: must be at most "
            "runtime.network-threads-max, which is 4");
  EXPECT_EQ(Refusal("[raft]\nelection-timeout-min-ms = 150\n"),
            "k.conf:2: [raft] election-timeout-min-ms = 150: must be at least two heartbeats "
            "(raft.heartbeat-ms 100); allowed: at least 200");
  // The line is that of the one that was given.
  EXPECT_EQ(Refusal("[raft]\nheartbeat-ms = 400\n"),
            "k.conf:2: [raft] election-timeout-min-ms = 500 (the default): must be at least two "
            "heartbeats (raft.heartbeat-ms 400); allowed: at least 800");
  EXPECT_THAT(Refusal("[runtime.scaling]\nstorage-queue-low = 64\n"), HasSubstr("must be below"));
  EXPECT_THAT(Refusal("[network]\nport = 0\n"), HasSubstr("no client could connect"));
  EXPECT_THAT(Refusal("[compat]\nreplicaof = 10.0.0.1 6379\n"), HasSubstr("replicates by Raft"));
  EXPECT_THAT(Refusal("[network]\nbind =\n"), HasSubstr("no address"));
  EXPECT_THAT(Refusal("[fault]\nboot-id = x\n"), HasSubstr("needs fault.enabled yes"));
  EXPECT_THAT(Refusal("", std::vector<Override>{{"fault.boot-id", {"x"}}}),
              HasSubstr("command line: [fault] boot-id = x"));
  EXPECT_EQ(Refusal("[fault]\nfile-layer = yes\n"),
            "k.conf:2: [fault] file-layer = yes: needs fault.enabled yes; allowed: auto or no");
  EXPECT_EQ(Parsed("[fault]\nenabled = yes\nfile-layer = yes\n")->Get<"fault.file-layer">(), "yes");
}

TEST(Config, TellsWhereAValueStands) {
  const auto config = Parsed("[storage]\ndir = /data\n[metrics]\npassword = x\n");
  EXPECT_EQ(config->Where("dir"), "k.conf:2: [storage] dir = /data");
  EXPECT_EQ(config->Where("raft.port"), "k.conf: [raft] port = 0 (the default)");
  EXPECT_THAT(config->Where("metrics.password"), testing::Not(HasSubstr("x")));
}

TEST(Config, ShippedFileNamesEveryOptionWithItsDefault) {
  const auto root = std::filesystem::path(__FILE__).parent_path().parent_path();
  const auto path = root.parent_path().parent_path() / "conf" / "kiwi.conf";
  const auto text = ReadConfigFile(path.string());
  ASSERT_TRUE(text.ok()) << text.status().message();
  const auto entries = ParseIni(*text);
  ASSERT_TRUE(entries.ok()) << entries.status().message();
  std::map<size_t, std::string> found;
  for (const IniEntry& entry : *entries) {
    const auto option = FindOption(entry.section, entry.key);
    ASSERT_TRUE(option.has_value()) << entry.line << ": " << entry.key;
    const auto value = ParseValueText(kOptions[*option], entry.value, /*verbatim=*/false, {});
    ASSERT_TRUE(value.ok()) << entry.line << ": " << value.status().message();
    found[*option] = value->text;
  }
  for (size_t i = 0; i < kOptionCount; ++i) {
    ASSERT_EQ(found.count(i), 1U) << DisplayName(kOptions[i]) << " is missing";
    // The file opens the endpoint on loopback; several servers without a file must not collide.
    if (i == IndexOf("metrics.port")) continue;
    EXPECT_EQ(found[i], DefaultValue(kOptions[i]).text) << DisplayName(kOptions[i]);
  }
  EXPECT_TRUE(Config::Load(path.string(), {}).ok());
}

TEST(ConfigGet, MatchesPatternsAndSpellings) {
  const Config config;
  const auto get = [&](std::vector<std::string_view> patterns) { return config.Match(patterns); };
  EXPECT_THAT(get({"port"}), ElementsAre(Pair("port", "6379")));
  EXPECT_THAT(get({"PORT", "p*rt"}), ElementsAre(Pair("PORT", "6379"), Pair("port", "6379")));
  EXPECT_THAT(get({"raft.f*"}), ElementsAre(Pair("raft.fsync", "always")));
  EXPECT_THAT(get({"fsync"}), ElementsAre(Pair("fsync", "always")));
  EXPECT_THAT(get({"hash-max-*-value"}), ElementsAre(Pair("hash-max-listpack-value", "64"),
                                                     Pair("hash-max-ziplist-value", "64")));
  EXPECT_THAT(get({"nosuch", "no*such"}), IsEmpty());
  EXPECT_EQ(get({"*"}).size(), config.List().size());
}

TEST(ConfigSet, ChangesAllOrNothing) {
  const auto config = Parsed("");
  EXPECT_EQ(SetReply(config.get(), {{"timeout", "5"}, {"MaxMemory", "1mb"}}), "OK");
  EXPECT_EQ(config->Find("timeout"), "5");
  EXPECT_EQ(config->Find("maxmemory"), "1048576");
  EXPECT_EQ(SetReply(config.get(), {{"timeout", "6"}, {"maxmemory", "x"}}),
            "ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a "
            "memory value");
  EXPECT_EQ(SetReply(config.get(), {{"timeout", "6"}, {"foo", "1"}}),
            "ERR Unknown option or number of arguments for CONFIG SET - 'foo'");
  EXPECT_EQ(SetReply(config.get(), {{"timeout", "x"}, {"foo", "1"}}),
            "ERR Unknown option or number of arguments for CONFIG SET - 'foo'");
  EXPECT_EQ(SetReply(config.get(), {{"timeout", "6"}, {"timeout", "7"}}),
            "ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter");
  EXPECT_EQ(config->Find("timeout"), "5");
}

TEST(ConfigSet, WhatTheStartFixesStays) {
  const auto config = Parsed("");
  EXPECT_EQ(
      SetReply(config.get(), {{"databases", "5"}}),
      "ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable "
      "config");
  EXPECT_THAT(SetReply(config.get(), {{"daemonize", "yes"}}), HasSubstr("immutable"));
  EXPECT_EQ(SetReply(config.get(), {{"databases", "16"}}), "OK");
}

TEST(ConfigSet, EveryValueShownCanBeSetAgain) {
  const auto config = Parsed("");
  const auto before = config->List();
  for (const auto& [name, value] : before) {
    EXPECT_EQ(SetReply(config.get(), {{name, value}}), "OK") << name << " " << value;
  }
  EXPECT_EQ(config->List(), before);
}

TEST(ConfigSet, OutputLimitsChangeOneClassAtATime) {
  const auto config = Parsed("");
  EXPECT_EQ(SetReply(config.get(), {{"client-output-buffer-limit", "pubsub 1 2 3"}}), "OK");
  EXPECT_EQ(config->Find("client-output-buffer-limit"),
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 1 2 3");
}

TEST(ConfigSet, ValuesMustFitEachOther) {
  const auto config = Parsed("");
  EXPECT_EQ(
      SetReply(config.get(), {{"runtime.scaling.storage-queue-low", "64"}}),
      "ERR CONFIG SET failed (possibly related to argument 'runtime.scaling.storage-queue-low') - "
      "must be below runtime.scaling.storage-queue-high, which is 64");
  EXPECT_EQ(SetReply(config.get(), {{"runtime.scaling.storage-queue-low", "64"},
                                    {"runtime.scaling.storage-queue-high", "65"}}),
            "OK");
}

TEST(ConfigSet, ListenersSeeNewValuesAndMayRefuse) {
  const auto config = Parsed("");
  std::vector<int64_t> seen;
  int calls_for_two = 0;
  config->OnChange("maxclients", [&](const Config& c) {
    seen.push_back(c.Get<"maxclients">());
    return Status();
  });
  config->OnChange({"maxclients", "timeout"}, [&](const Config&) {
    ++calls_for_two;
    return Status();
  });
  config->OnChange("timeout", [&](const Config& c) {
    if (c.Get<"timeout">() != 13) return Status();
    return Status(StatusCode::kInvalidArgument, "not today");
  });
  EXPECT_EQ(SetReply(config.get(), {{"maxclients", "7"}, {"timeout", "3"}}), "OK");
  EXPECT_THAT(seen, ElementsAre(7));
  EXPECT_EQ(calls_for_two, 1);
  EXPECT_EQ(SetReply(config.get(), {{"maxclients", "8"}, {"timeout", "13"}}),
            "ERR CONFIG SET failed (possibly related to argument 'timeout') - not today");
  EXPECT_THAT(seen, ElementsAre(7, 8, 7));  // told of both, then of the return
  EXPECT_EQ(config->Find("maxclients"), "7");
  EXPECT_EQ(config->Find("timeout"), "3");
}

TEST(ConfigSet, ReadersAndSettersDoNotDisturbEachOther) {
  const auto config = Parsed("");
  std::atomic<bool> done = false;
  std::thread reader([&] {
    while (!done) {
      const std::string value = config->Get<"requirepass">();
      EXPECT_TRUE(value.empty() || value == std::string(value.size(), value[0]));
    }
  });
  for (int i = 0; i < 2000; ++i) {
    const std::string value(static_cast<size_t>(i % 90), static_cast<char>('a' + i % 26));
    EXPECT_EQ(SetReply(config.get(), {{"requirepass", value}}), "OK");
  }
  done = true;
  reader.join();
}

TEST(CommandLine, FileFirstThenOptions) {
  const std::vector<std::string> args = {"k.conf", "--port", "7000",        "--save",
                                         "900",    "1",      "--timeout=5", "--version"};
  const auto line = ParseCommandLine(args);
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->file, "k.conf");
  EXPECT_TRUE(line->version);
  ASSERT_EQ(line->overrides.size(), 3U);
  EXPECT_EQ(line->overrides[0].name, "port");
  EXPECT_THAT(line->overrides[1].words, ElementsAre("900", "1"));
  EXPECT_THAT(line->overrides[2].words, ElementsAre("5"));
  const std::vector<std::string> stray = {"-x"};
  EXPECT_FALSE(ParseCommandLine(stray).ok());
  EXPECT_THAT(UsageText(), HasSubstr("--raft.fsync always"));
}

}  // namespace
}  // namespace kiwi::config
