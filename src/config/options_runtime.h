// The sections about threads and queues.
#pragma once

#include "config/option.h"

namespace kiwi::config {

inline constexpr OptionRow kRuntimeOptions[] = {
    // [runtime]
    Int("network-threads-min", "1", 1, 256, kOwn, "Event loops that always run."),
    Int("network-threads-max", "4", 1, 256, kOwn, "Event loops at most."),
    Int("storage-threads-min", "1", 1, 256, kOwn, "Storage workers that always run."),
    Int("storage-threads-max", "8", 1, 256, kOwn, "Storage workers at most."),
    Bool("helping", "yes", kOwn | kMutable,
         "Let an idle event loop execute fast commands itself instead of waking a worker."),
    Int("shutdown-timeout", "10", 0, kIntMax, kMutable,
        "Seconds that a shutdown waits for replies under way."),
};

inline constexpr OptionRow kScalingOptions[] = {
    // [runtime.scaling]
    Bool("enabled", "yes", kOwn | kMutable, "Resize both pools between their minimum and maximum."),
    Int("interval-ms", "50", 10, 1000, kOwn | kMutable,
        "Milliseconds between two looks at the queues; a pool reacts within two of them."),
    Int("sustain-ms", "2000", 0, 3600000, kOwn | kMutable,
        "Milliseconds that a queue must stay under its low threshold before its pool shrinks."),
    Int("network-high", "64", 1, kIntMax, kOwn | kMutable,
        "Grow the event loops over this many ready connections a loop and iteration."),
    Int("network-low", "4", 0, kIntMax, kOwn | kMutable, "Shrink them under this many."),
    Int("network-increment", "1", 1, 64, kOwn | kMutable, "Event loops added at a time."),
    Int("network-decrement", "1", 1, 64, kOwn | kMutable, "Event loops removed at a time."),
    Int("storage-high", "32", 1, kIntMax, kOwn | kMutable,
        "Grow the workers over this many queued batches a worker."),
    Int("storage-low", "2", 0, kIntMax, kOwn | kMutable, "Shrink them under this many."),
    Int("storage-increment", "2", 1, 64, kOwn | kMutable, "Workers added at a time."),
    Int("storage-decrement", "1", 1, 64, kOwn | kMutable, "Workers removed at a time."),
    Int("storage-latency-us", "5000", 1, kNoLimit, kOwn | kMutable,
        "Over this response time of storage, in microseconds, the workers grow first."),
    Int("backpressure-per-second", "100", 1, kIntMax, kOwn | kMutable,
        "Over this rate of backpressure events the event loops do not grow."),
};

inline constexpr OptionRow kPriorityOptions[] = {
    // [runtime.priority]
    Enum("scheduling", "strict", "strict|weighted", kOwn,
         "strict: higher before lower, always. weighted: by the weights below, so that nobody "
         "starves."),
    Int("weight-high", "3", 1, 1000, kOwn, "Share of High under weighted scheduling."),
    Int("weight-normal", "2", 1, 1000, kOwn, "Share of Normal."),
    Int("weight-low", "1", 1, 1000, kOwn, "Share of Low."),
    Int("queue-critical", "1048576", 1024, kQueueMax, kOwn,
        "Batches that the Critical level may hold; internal work is never refused below this."),
    Int("queue-high", "16384", 16, kQueueMax, kOwn,
        "Batches that the High level may hold; when it is full, the sockets that feed it are "
        "not read."),
    Int("queue-normal", "16384", 16, kQueueMax, kOwn, "The same for Normal."),
    Int("queue-low", "16384", 16, kQueueMax, kOwn, "The same for Low."),
    Enum("default-priority", "normal", "high|normal|low", kOwn | kMutable,
         "Priority of a connection that has not chosen one (CLIENT PRIORITY)."),
    Of(OptionType::kWords, "high-commands", "", kOwn | kMutable,
       "Commands that run as High on a connection without a choice of its own."),
    Of(OptionType::kWords, "low-commands", "keys scan sort sort_ro", kOwn | kMutable,
       "Commands that run as Low on a connection without a choice of its own."),
};

}  // namespace kiwi::config
