// The sections about clients and operation.
#pragma once

#include "config/option.h"

namespace kiwi::config {

inline constexpr OptionRow kNetworkOptions[] = {
    // [network]
    Of(OptionType::kWords, "bind", "127.0.0.1 -::1", 0,
       "Addresses to listen on. A leading - means: go on if it is missing. * is every "
       "address."),
    Int("port", "6379", 0, 65535, 0, "TCP port for clients; 0: no TCP."),
    Text("unixsocket", "", 0, "Path of a unix socket to listen on; empty: none."),
    {.name = "unixsocketperm",
     .type = OptionType::kOctal,
     .fallback = "0",
     .flags = 0,
     .min = 0,
     .max = 0777,
     .doc = "Mode of the unix socket, octal; 0: as umask says."},
    Int("tcp-backlog", "511", 0, kIntMax, 0,
        "Connections that may wait to be accepted; the kernel's somaxconn caps it."),
    Int("tcp-keepalive", "300", 0, kIntMax, kMutable,
        "Seconds between TCP keepalive probes; 0: none."),
    Int("timeout", "0", 0, kIntMax, kMutable,
        "Seconds after which an idle client is closed; 0: never."),
    Int("maxclients", "10000", 1, kIntMax, kMutable,
        "Clients connected at once; one more is told so and closed."),
    Bool("protected-mode", "yes", kMutable,
         "Without a password, serve only clients of this machine."),
    Text("requirepass", "", kMutable,
         "Password that clients must give with AUTH or HELLO; empty: none."),
    Enum("enable-debug-command", "no", "no|yes|local", 0,
         "Who may use DEBUG, which can stall the server: nobody, everybody, or clients of this "
         "machine."),
    Bytes("proto-max-bulk-len", "512mb", kMiB, kNoLimit, kMutable,
          "Longest single argument of a command."),
    Bytes("client-query-buffer-limit", "1gb", kMiB, kNoLimit, kMutable,
          "A client whose unfinished request is larger than this is closed."),
    Of(OptionType::kOutputLimits, "client-output-buffer-limit",
       "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60", kMutable,
       "Per class (normal, replica, pubsub): hard limit, soft limit, seconds over the soft "
       "limit, after which a client is closed; 0: none."),
    Bool("read-only", "no", kOwn | kMutable,
         "Refuse the writes of this node's clients (-READONLY); what other nodes' clients write "
         "arrives all the same."),
    Bytes("reply-backlog-bytes", "1mb", 1024, kNoLimit, kOwn | kMutable,
          "A connection with more unsent replies than this is neither read nor executed "
          "further."),
    Bytes("read-chunk-bytes", "64kb", 4096, 64 * kMiB, kOwn,
          "What one read of a socket may bring."),
};

inline constexpr OptionRow kLogOptions[] = {
    // [log]
    Enum("loglevel", "notice", "trace|debug|verbose|notice|warning|error", kMutable,
         "Lines less important than this are not written."),
    Text("logfile", "", 0, "File that the log is appended to; empty: standard error."),
    Int("slowlog-log-slower-than", "10000", -1, kNoLimit, kMutable,
        "Commands that execute longer than this, in microseconds, enter the slow log; 0: all; "
        "-1: none."),
    Int("slowlog-max-len", "128", 0, kNoLimit, kMutable, "Entries that the slow log keeps."),
    Int("latency-monitor-threshold", "0", 0, kNoLimit, kMutable,
        "Milliseconds from which an event enters the latency monitor; 0: off."),
};

inline constexpr OptionRow kMetricsOptions[] = {
    // [metrics]
    Bool("latency-tracking", "yes", kMutable, "Keep a latency histogram of every command."),
    Of(OptionType::kPercentiles, "latency-tracking-info-percentiles", "50 99 99.9", kMutable,
       "Percentiles that INFO latencystats shows."),
    Text("bind", "127.0.0.1", kOwn,
         "Address of the HTTP endpoint, IPv4. One that other machines reach needs a password or a "
         "token."),
    Int("port", "0", 0, 65535, kOwn,
        "Its TCP port, for /metrics (Prometheus) and /health; 0, as without this line: none."),
    Text("user", "kiwi", kOwn | kMutable, "Who may ask, with the password (HTTP basic)."),
    Text("password", "", kOwn | kMutable | kSecret,
         "Password of that user; empty: none. CONFIG GET never shows it."),
    Text("token", "", kOwn | kMutable | kSecret,
         "Bearer token that may be given instead; empty: none. CONFIG GET never shows it."),
    Int("rate-limit", "50", 0, 100000, kOwn | kMutable,
        "Requests a second that the endpoint answers; more are told 429. 0: no limit."),
    Bool("stages", "yes", kOwn | kMutable,
         "Time one batch in eight by stage: parse, queue, propose, fsync, commit, apply, reply."),
    Int("interval-ms", "1000", 100, 3600000, kOwn | kMutable,
        "Milliseconds between two samples of the history (INFO history, RAFT.STATUS HISTORY)."),
    Int("retention-seconds", "300", 1, 86400, kOwn | kMutable,
        "How far back the history reaches; at most 10000 samples."),
};

inline constexpr OptionRow kFaultOptions[] = {
    // [fault]
    Bool("enabled", "no", kOwn, "Accept FAULT commands. Never in production."),
    Enum("file-layer", "auto", "auto|yes|no", kOwn,
         "Put the layer of files that can fail under the storage backends. What was not synced is "
         "then lost when the process is killed, as in a power cut. auto: where fault.enabled is "
         "yes, which yes needs."),
    Text("boot-id", "", kOwn,
         "Taken for the id of the machine's boot, for tests of its crashes; needs fault.enabled. "
         "Empty: the system's."),
    Int("probability-percent", "100", 1, 100, kOwn,
        "Messages that a delay, drop, duplicate or reorder meets where FAULT.INJECT names no "
        "probability. The following likewise stand for an amount that it leaves out."),
    Int("delay-ms", "10", 1, 600000, kOwn, "How long a delay holds each message up."),
    Int("reorder-ms", "10", 1, 600000, kOwn, "How long a reorder holds a message up at most."),
    Int("pause-ms", "1000", 1, 60000, kOwn, "How long a pause stops the process."),
    Int("slow-disk-ms", "100", 0, 60000, kOwn, "How much longer each sync takes."),
    Bytes("disk-full-bytes", "4096", 0, int64_t{1} << 50, kOwn,
          "Bytes that a disk-full leaves free."),
    Int("clock-skew-ms", "1000", -31536000000, 31536000000, kOwn,
        "How far a clock-skew moves the wall clock."),
    Int("clock-drift-percent", "5", -90, 900, kOwn,
        "How much faster a clock-drift makes the clock."),
};

}  // namespace kiwi::config
