// The sections about threads and queues.
#pragma once

#include "config/option.h"

namespace kiwi::config {

inline constexpr OptionRow kRuntimeOptions[] = {
    // [runtime]
    Int("network-threads-min", "1", 1, 256, kOwn | kMutable, "Event loops that always run."),
    Int("network-threads-max", "4", 1, 256, kOwn | kMutable,
        "Event loops at most; more than there are cores only if the minimum says so."),
    Int("storage-threads-min", "1", 1, 256, kOwn | kMutable, "Storage workers that always run."),
    Int("storage-threads-max", "8", 1, 256, kOwn | kMutable, "Storage workers at most."),
    Bool("helping", "yes", kOwn | kMutable,
         "Let an idle event loop execute fast commands itself instead of waking a worker."),
    Bool("storage-reserve", "yes", kOwn | kMutable,
         "One more worker, only for what is Critical or (strict scheduling) High, so that it need "
         "not "
         "wait until one is free."),
    Int("shutdown-timeout", "10", 0, kIntMax, kMutable,
        "Seconds that a shutdown waits for replies under way."),
};

inline constexpr OptionRow kScalingOptions[] = {
    // [runtime.scaling]
    Bool("enabled", "yes", kOwn | kMutable, "Resize both pools between their minimum and maximum."),
    Int("interval-ms", "25", 5, 1000, kOwn | kMutable,
        "Milliseconds between two looks at the queues."),
    Int("grow-sustain-ms", "50", 0, 60000, kOwn | kMutable,
        "Milliseconds that a pool must be under high pressure before it grows."),
    Int("shrink-sustain-ms", "5000", 0, 3600000, kOwn | kMutable,
        "Milliseconds that a pool must be under low pressure before it shrinks, and between "
        "two shrinks."),
    Int("judge-after-ms", "300", 50, 60000, kOwn | kMutable,
        "Milliseconds after which a growth is judged by what it brought."),
    Int("min-gain-percent", "3", 0, 100, kOwn | kMutable,
        "Throughput that a growth must bring, or else a much lower strain; without it the growth "
        "is "
        "taken back."),
    Int("bar-ms", "10000", 0, 3600000, kOwn | kMutable,
        "Milliseconds that a pool does not grow after a growth in vain; doubles with each."),
    Int("bar-max-ms", "160000", 0, 36000000, kOwn | kMutable, "It doubles up to this."),
    Int("network-increment", "1", 1, 64, kOwn | kMutable, "Event loops added at a time."),
    Int("network-decrement", "1", 1, 64, kOwn | kMutable, "Event loops removed at a time."),
    Int("network-queue-high", "256", 1, kIntMax, kOwn | kMutable,
        "High pressure: over this many parsed requests that the channel has not taken."),
    Int("network-queue-low", "16", 0, kIntMax, kOwn | kMutable, "Low pressure: under this many."),
    Int("network-delay-high-us", "2000", 1, kIntMax, kOwn | kMutable,
        "High pressure as well: an iteration of a loop that keeps clients waiting for this "
        "many microseconds."),
    Int("network-delay-low-us", "500", 0, kIntMax, kOwn | kMutable,
        "Low pressure: less than this."),
    Int("storage-increment", "1", 1, 64, kOwn | kMutable, "Storage workers added at a time."),
    Int("storage-decrement", "1", 1, 64, kOwn | kMutable, "Storage workers removed at a time."),
    Int("storage-queue-high", "64", 1, kIntMax, kOwn | kMutable,
        "High pressure: over this many queued batches."),
    Int("storage-queue-low", "4", 0, kIntMax, kOwn | kMutable, "Low pressure: under this many."),
    Int("storage-response-high-us", "20000", 1, kIntMax, kOwn | kMutable,
        "High pressure as well: a response time of storage, in microseconds, over this; the "
        "workers then grow before the event loops."),
    Int("storage-response-low-us", "5000", 0, kIntMax, kOwn | kMutable,
        "Low pressure: less than this."),
    Int("backpressure-rate-max", "10", 1, kIntMax, kOwn | kMutable,
        "Over so many backpressure events a second the event loops do not grow."),
    Int("backpressure-pause-ms", "2000", 0, kIntMax, kOwn | kMutable,
        "Milliseconds that they must have been fewer before the event loops may grow again."),
};

inline constexpr OptionRow kPriorityOptions[] = {
    // [runtime.priority]
    Enum("scheduling", "strict", "strict|weighted", kOwn | kMutable,
         "strict: higher before lower, always. weighted: by the weights below, so that nobody "
         "starves."),
    Int("weight-high", "3", 1, 1000, kOwn | kMutable, "Share of High under weighted scheduling."),
    Int("weight-normal", "2", 1, 1000, kOwn | kMutable, "Share of Normal."),
    Int("weight-low", "1", 1, 1000, kOwn | kMutable, "Share of Low."),
    Int("queue-critical", "1048576", 1024, kQueueMax, kOwn | kMutable,
        "Batches that the Critical level may hold; internal work is never refused, whatever is "
        "set here."),
    Int("queue-high", "16384", 16, kQueueMax, kOwn | kMutable,
        "Batches that the High level may hold; when it is full, the sockets that feed it are "
        "not read."),
    Int("queue-normal", "16384", 16, kQueueMax, kOwn | kMutable, "The same for Normal."),
    Int("queue-low", "16384", 16, kQueueMax, kOwn | kMutable, "The same for Low."),
    Enum("default-priority", "normal", "high|normal|low", kOwn | kMutable,
         "Priority of a connection that has not chosen one (CLIENT PRIORITY)."),
    Of(OptionType::kWords, "high-commands", "", kOwn | kMutable,
       "Commands that run as High on a connection without a choice of its own."),
    Of(OptionType::kWords, "low-commands", "keys scan sort sort_ro", kOwn | kMutable,
       "Commands that run as Low on a connection without a choice of its own."),
    Of(OptionType::kWords, "user-priorities", "", kOwn | kMutable,
       "Pairs of a user and its level (default low): takes the place of default-priority for that "
       "user; high-commands lift none of its commands above it."),
};

inline constexpr OptionRow kBreakerOptions[] = {
    // [runtime.breaker]
    Bool("enabled", "yes", kOwn | kMutable,
         "Answer requests of a priority with -TRYAGAIN at once while too many of them fail."),
    Int("window-ms", "10000", 100, 3600000, kOwn | kMutable,
        "Milliseconds over which requests and failures are counted; what a connection sent "
        "together counts as one request."),
    Int("min-failures", "50", 1, kIntMax, kOwn | kMutable,
        "A level opens only after so many failures in the window …"),
    Int("failure-percent", "50", 1, 100, kOwn | kMutable,
        "… if they are at least this part of its requests, in percent."),
    Int("open-ms", "5000", 1, 3600000, kOwn | kMutable,
        "Milliseconds that a level stays open before it lets probes through."),
    Int("probe-count", "5", 1, 100000, kOwn | kMutable,
        "Requests let through then: all must succeed to close it; one that fails opens it again."),
    Int("timeout-high-ms", "30000", 1, kIntMax, kOwn | kMutable,
        "A request of High fails when it has no reply after so many milliseconds. It is not given "
        "up: its client gets the reply."),
    Int("timeout-normal-ms", "20000", 1, kIntMax, kOwn | kMutable, "The same for Normal."),
    Int("timeout-low-ms", "10000", 1, kIntMax, kOwn | kMutable, "The same for Low."),
    Int("queue-deadline-high-ms", "20000", 1, kIntMax, kOwn | kMutable,
        "A request of High has failed as well when it was queued for so many milliseconds before "
        "it was executed."),
    Int("queue-deadline-normal-ms", "10000", 1, kIntMax, kOwn | kMutable, "The same for Normal."),
    Int("queue-deadline-low-ms", "5000", 1, kIntMax, kOwn | kMutable, "The same for Low."),
};

}  // namespace kiwi::config
