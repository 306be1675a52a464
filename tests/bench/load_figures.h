// What the commands of one class of load took: percentiles over all of the run, and over time.
#pragma once

#include <functional>
#include <map>

#include "load_client.h"

namespace kiwi::bench {

class Figures {
 public:
  // What was to be sent before `begin` belongs to the warm-up.
  void Begin(Clock::time_point begin, Clock::time_point end) {
    begin_ = begin;
    end_ = end;
  }

  void Add(Clock::time_point intended, Clock::time_point ended) {
    if (intended < begin_) return;
    samples_.push_back({Micros(ended - begin_), Micros(ended - intended)});
  }
  void AddCommands(size_t n, Clock::time_point now) {
    if (now < begin_ || now > end_) return;
    commands_ += n;
    commands_by_ms_[Micros(now - begin_) / 1000] += n;
  }
  void AddErrors(uint64_t n, const std::string& text) {
    errors_ += n;
    last_error_ = text.substr(0, text.find_first_of("\"\\\r"));
  }

  // Adds what another class has measured in the same time.
  void Merge(const Figures& other) {
    samples_.insert(samples_.end(), other.samples_.begin(), other.samples_.end());
    commands_ += other.commands_;
    errors_ += other.errors_;
    if (other.errors_ > 0) last_error_ = other.last_error_;
  }

  // The inside of a JSON object. Latencies are of pipelines.
  std::string Json() {
    std::vector<uint32_t> micros;
    micros.reserve(samples_.size());
    for (const Sample& s : samples_) micros.push_back(s.latency_us);
    std::array<char, 512> text{};
    std::snprintf(
        text.data(), text.size(),
        "\"rate\": %.1f, \"pipelines\": %zu, \"errors\": %llu, \"last_error\": \"%s\", "
        "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f",
        static_cast<double>(commands_) / std::chrono::duration<double>(end_ - begin_).count(),
        micros.size(), static_cast<unsigned long long>(errors_), last_error_.c_str(),
        PercentileMs(&micros, 0.50), PercentileMs(&micros, 0.99), PercentileMs(&micros, 0.999),
        PercentileMs(&micros, 1));
    return text.data();
  }

  // A list of objects, one for each interval: by the time at which they ended.
  std::string Series(double interval_ms, const std::function<double(Clock::time_point)>& offered) {
    const auto count = static_cast<size_t>(
        std::chrono::duration<double, std::milli>(end_ - begin_).count() / interval_ms);
    std::vector<std::vector<uint32_t>> micros(count);
    std::vector<uint64_t> commands(count);
    for (const Sample& s : samples_) {
      const auto i = static_cast<size_t>(s.ended_us / (interval_ms * 1000));
      if (i < count) micros[i].push_back(s.latency_us);
    }
    for (const auto& [ms, n] : commands_by_ms_) {
      const auto i = static_cast<size_t>(ms / interval_ms);
      if (i < count) commands[i] += n;
    }
    std::string out;
    for (size_t i = 0; i < count; ++i) {
      const double from_ms = static_cast<double>(i) * interval_ms;
      const auto middle =
          std::chrono::microseconds(static_cast<int64_t>((from_ms + interval_ms / 2) * 1000));
      std::array<char, 160> text{};
      std::snprintf(
          text.data(), text.size(),
          "%s{\"s\": %.3f, \"offered\": %.0f, \"done\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": %.3f}",
          i == 0 ? "" : ", ", from_ms / 1000, offered(begin_ + middle),
          static_cast<double>(commands[i]) * 1000 / interval_ms, PercentileMs(&micros[i], 0.50),
          PercentileMs(&micros[i], 0.99));
      out += text.data();
    }
    return out;
  }

 private:
  struct Sample {
    uint32_t ended_us = 0;  // since the end of the warm-up
    uint32_t latency_us = 0;
  };
  static uint32_t Micros(Clock::duration d) {
    return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(d).count());
  }

  Clock::time_point begin_;
  Clock::time_point end_;
  std::vector<Sample> samples_;
  uint64_t commands_ = 0;
  std::map<uint32_t, uint64_t> commands_by_ms_;
  uint64_t errors_ = 0;
  std::string last_error_;
};

}  // namespace kiwi::bench
