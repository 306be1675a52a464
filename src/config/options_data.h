// The sections about data.
#pragma once

#include "config/option.h"

namespace kiwi::config {

inline constexpr OptionRow kRaftOptions[] = {
    // [raft]
    Int("node-id", "1", 1, kNoLimit, kOwn,
        "This node in its group; above 0, never reused by another node."),
    Enum("fsync", "always", "always|everysec|no", kOwn,
         "When an acknowledged write is on the disk. always: before its reply, synced in "
         "groups. everysec, no: an operating-system crash may lose the last second, or more."),
    Text("log-dir", "", kOwn,
         "Folder of the Raft log, which may lie on another disk; empty: log under storage.dir."),
    Int("heartbeat-ms", "100", 10, 60000, kOwn, "Milliseconds between a leader's heartbeats."),
    Int("election-timeout-min-ms", "500", 20, 600000, kOwn,
        "Shortest time without a leader before an election, at least two heartbeats; each wait is "
        "drawn between it and twice it."),
    Int("snapshot-entries", "10000", 1, kNoLimit, kOwn,
        "Entries after which a checkpoint is due and the log behind it is dropped."),
    Bytes("snapshot-bytes", "100mb", 64 * kKiB, kNoLimit, kOwn,
          "Bytes of log after which a checkpoint is due."),
    Bytes(
        "log-max-bytes", "500mb", kMiB, kNoLimit, kOwn,
        "Writes wait when the log is larger than this and than two entries, and are refused if no "
        "checkpoint can be written that would let it shrink."),
    Bytes("max-entry-bytes", "1mb", 4096, 512 * kMiB, kOwn,
          "Commands are put together into one entry up to this size; a larger command has an "
          "entry of its own."),
    Bytes("max-uncommitted-bytes", "256mb", kMiB, kNoLimit, kOwn,
          "Writes proposed and not yet committed; more wait."),
    Bytes("log-cache-bytes", "4mb", 64 * kKiB, kNoLimit, kOwn, "Newest entries kept in memory."),
    Bytes("log-write-buffer-bytes", "64mb", kMiB, kNoLimit, kOwn,
          "Memory of the log's backend for writes not yet in a table."),
    Int("storage-retry-ms", "200", 10, 60000, kOwn,
        "How often a log whose disk failed or was full is tried anew."),
    Text("bind", "127.0.0.1", kOwn,
         "Address that the other nodes of the group connect to. They are known by their words "
         "alone, neither by a password nor by a key: only a network whose machines are all "
         "trusted may reach it."),
    Int("port", "0", 0, 65535, kOwn,
        "TCP port for the other nodes of the group; 0: this node is a group of its own for good."),
    Text("initial-members", "", kOwn,
         "Who begins the group, this node among them: 1@host:port,2@host:port,… with each one's "
         "raft.port, the same nodes in every member's file. A file may name addresses under which "
         "this node reaches the others. Empty: this node begins alone, and may join a group."),
    Bool("accept-invitations", "yes", kOwn | kMutable,
         "Whether this node, while it is alone and has taken no writes yet, joins a group that "
         "added it (RAFT.NODE ADD on that group's side). no: only RAFT.CLUSTER JOIN, said to this "
         "node, makes it join."),
    Text("cluster-name", "kiwi", kOwn,
         "Nodes of initial-members find each other only under the same name. Keep it to yourself: "
         "the order of keys in memory is drawn from it, too."),
    Int("replication-factor", "0", 0, 1000, kOwn,
        "Nodes that vote; 0: all. Every node has all data, but one that joins beyond so many stays "
        "a "
        "learner, and takes the place of a voter that is removed."),
    Text("announce-host", "", kOwn,
         "Host that clients and other nodes are told for this node; empty: raft.bind."),
    Int("announce-port", "0", 0, 65535, kOwn, "Port that clients are told for this node; 0: port."),
    Int("announce-raft-port", "0", 0, 65535, kOwn,
        "Port that other nodes are told for this node; 0: raft.port."),
    Enum("read-mode", "lease", "lease|readindex", kOwn | kMutable,
         "How a leader knows that nobody else leads. lease: by its clock, which may drift by "
         "clock-drift-percent; readindex: by asking a majority for each batch of reads."),
    Enum(
        "read-consistency", "linearizable", "linearizable|bounded|any", kOwn | kMutable,
        "What reads of connections see that chose nothing by CLIENT CONSISTENCY. linearizable: all "
        "that was acknowledged before them; bounded: all but the last read-max-staleness-ms; any: "
        "what this node has, even without a leader."),
    Int("read-max-staleness-ms", "1000", 1, 86400000, kOwn | kMutable,
        "How old what a bounded read sees may be. A node that cannot prove it waits for "
        "leader-wait-ms and then answers -MASTERDOWN."),
    Int("clock-drift-percent", "10", 0, 50, kOwn,
        "How much faster or slower than the others' this node's clock may run."),
    Int("leader-wait-ms", "1500", 0, 600000, kOwn,
        "Requests wait so long for a leader before they are answered -CLUSTERDOWN."),
    Bytes("snapshot-bytes-per-second", "64mb", 0, kNoLimit, kOwn | kMutable,
          "How fast snapshots are sent to other nodes; 0: as fast as the network."),
    Bool(
        "cluster-enabled", "no", 0,
        "yes: clients are sent to the leader (-MOVED), as Redis Cluster does. no: every node takes "
        "every command, and there are 16 databases."),
};

inline constexpr OptionRow kStorageOptions[] = {
    // [storage]
    Enum("backend", "rocksdb", "rocksdb|leveldb|memory", kOwn,
         "What keeps the data on disk. memory keeps none: for tests."),
    Text("dir", "./data", 0,
         "Folder of all data; made if missing, locked against a second server."),
    Int("databases", "16", 1, 1024, 0, "Databases that SELECT can choose."),
    Bytes("maxmemory", "0", 0, kNoLimit, kMutable,
          "Bytes of memory from which commands that need more are refused; 0: no limit."),
    Enum("maxmemory-policy", "noeviction",
         "volatile-lru|volatile-lfu|volatile-random|volatile-ttl|allkeys-lru|allkeys-lfu|allkeys-"
         "random|noeviction",
         kMutable,
         "What is evicted at maxmemory. This version evicts nothing: every policy acts as "
         "noeviction."),
    Int("hash-max-listpack-entries", "512", 0, kUint32Max, kMutable,
        "A hash of at most this many fields is kept packed in one block.",
        "hash-max-ziplist-entries"),
    Int("hash-max-listpack-value", "64", 0, kUint32Max, kMutable,
        "Longest field or value, in bytes, of a packed hash.", "hash-max-ziplist-value"),
    Int("list-max-listpack-size", "-2", -kIntMax, kIntMax, kMutable,
        "Elements of a list in one block; -1 to -5: 4, 8, 16, 32 or 64 kb of them.",
        "list-max-ziplist-size"),
    Int("list-compress-depth", "0", 0, kIntMax, kMutable,
        "Blocks at each end of a list that stay uncompressed; 0: all."),
    Int("set-max-intset-entries", "512", 0, kNoLimit, kMutable,
        "A set of at most this many integers is kept packed."),
    Int("zset-max-listpack-entries", "128", 0, kNoLimit, kMutable,
        "A sorted set of at most this many members is kept packed.", "zset-max-ziplist-entries"),
    Int("zset-max-listpack-value", "64", 0, kNoLimit, kMutable,
        "Longest member, in bytes, of a packed sorted set.", "zset-max-ziplist-value"),
    Bytes("hll-sparse-max-bytes", "3000", 0, kNoLimit, kMutable, "Largest sparse HyperLogLog."),
    Bytes("stream-node-max-bytes", "4096", 0, kNoLimit, kMutable,
          "Largest block of a stream; 0: no limit."),
    Int("stream-node-max-entries", "100", 0, kNoLimit, kMutable,
        "Entries in a block of a stream; 0: no limit."),
    Bytes("block-cache-bytes", "1mb", 64 * kKiB, kNoLimit, kOwn,
          "Memory of the backend for blocks that were read."),
    Bytes("write-buffer-bytes", "32mb", 64 * kKiB, kNoLimit, kOwn,
          "Memory of the backend for writes not yet in a table."),
    Int("max-open-files", "256", 16, 1048576, kOwn, "Files that each backend keeps open."),
    Int("background-threads", "2", 1, 64, kOwn,
        "Threads of each backend for flushing and compaction."),
};

}  // namespace kiwi::config
