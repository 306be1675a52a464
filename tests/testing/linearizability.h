// Is there one order of the operations that explains all results, in which no operation comes before
// another that had ended when it began? The search of Wing and Gong ("Testing and verifying
// concurrent objects", 1993) with Lowe's memory of failed (ordered set, state) pairs.
//
// A Model says what operation `op` (a number) does to an object:
//   using State          copyable, comparable with ==
//   State Initial() const
//   uint64_t Hash(const State&) const
//   std::optional<State> Apply(size_t op, const State&) const
//                        the state after it; nothing if its result does not fit this state
//   bool IsRead(size_t op, const State&) const
//                        from this state on it will never change any state: if it fits, it may as
//                        well come now
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/random.h"

namespace kiwi::testing {

struct Span {
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();
  static constexpr size_t kNone = std::numeric_limits<size_t>::max();

  uint64_t start = 0;
  uint64_t end =
      kNever;  // kNever: of unknown outcome; it may take effect at any later time, or never
  // Comes only after this operation, if at all: an expiry after its write; and of operations of
  // unknown outcome that are the same, one after the other, so that only one order is tried.
  size_t after = kNone;
};

enum class Verdict : uint8_t { kExplained, kNoOrder, kGaveUp };

template <typename Model>
class LinearizabilitySearch {
 public:
  static constexpr size_t kMaxFailed = 20'000'000;  // remembered states; 16 bytes or more each

  // spans[i] belongs to the model's operation i. The model outlives the search.
  LinearizabilitySearch(const Model& model, std::vector<Span> spans, size_t max_failed = kMaxFailed)
      : model_(model), spans_(std::move(spans)), done_(spans_.size()), max_failed_(max_failed) {
    Random random(spans_.size());
    for (size_t i = 0; i < spans_.size(); ++i) {
      marks_.push_back(random.Next());
      (spans_[i].end == Span::kNever ? open_ : answered_).push_back(i);
    }
    auto earlier = [this](size_t a, size_t b) { return spans_[a].start < spans_[b].start; };
    std::stable_sort(answered_.begin(), answered_.end(), earlier);
    std::stable_sort(open_.begin(), open_.end(), earlier);
    left_ = answered_.size();
  }

  Verdict Run() {
    Enter(Span::kNone, 0, model_.Initial());
    while (!path_.empty() && left_ > 0) {
      if (failed_.size() > max_failed_) return Verdict::kGaveUp;
      Frame& frame = path_.back();
      if (frame.next == frame.candidates.size()) {
        Leave();
        continue;
      }
      const size_t op = frame.candidates[frame.next++];
      std::optional<State> state = model_.Apply(op, frame.state);
      if (!state || (spans_[op].end == Span::kNever && *state == frame.state)) continue;
      Enter(op, frame.first, *std::move(state));
    }
    return left_ == 0 ? Verdict::kExplained : Verdict::kNoOrder;
  }

 private:
  using State = typename Model::State;

  // One point of the order: `ordered` were put there last, `candidates` may come next.
  struct Frame {
    size_t first = 0;  // all of answered_ before it are ordered
    State state;
    std::vector<size_t> ordered;
    std::vector<size_t> candidates;
    size_t next = 0;
  };

  void Enter(size_t op, size_t first, State state) {
    Frame frame;
    frame.state = std::move(state);
    if (op != Span::kNone) Order(op, &frame);
    uint64_t horizon = TakeReads(&first, &frame);
    frame.first = first;
    const uint64_t key = mark_ ^ (model_.Hash(frame.state) * 0x9e3779b97f4a7c15ULL);
    if (left_ > 0 && failed_.insert(key).second) FindCandidates(horizon, &frame);
    path_.push_back(std::move(frame));
  }

  void Leave() {
    for (size_t op : path_.back().ordered) {
      done_[op] = false;
      mark_ ^= marks_[op];
      left_ += spans_[op].end != Span::kNever;
    }
    path_.pop_back();
  }

  void Order(size_t op, Frame* frame) {
    done_[op] = true;
    mark_ ^= marks_[op];
    left_ -= spans_[op].end != Span::kNever;
    frame->ordered.push_back(op);
  }

  // A read that fits changes nothing for the others: takes all of them at once. Returns the horizon:
  // whatever starts after it comes after an operation that is not ordered yet.
  uint64_t TakeReads(size_t* first, Frame* frame) {
    for (;;) {
      while (*first < answered_.size() && done_[answered_[*first]]) ++*first;
      uint64_t horizon = Span::kNever;
      ForWindow(*first, &horizon, [&](size_t op) { horizon = std::min(horizon, spans_[op].end); });
      const size_t before = left_;
      ForWindow(*first, &horizon, [&](size_t op) {
        if (Ready(op) && model_.IsRead(op, frame->state) && model_.Apply(op, frame->state)) {
          Order(op, frame);
        }
      });
      if (left_ == before) return horizon;
    }
  }

  // What must end soon is likely to come soon; what has an unknown outcome is the last to try.
  void FindCandidates(uint64_t horizon, Frame* frame) {
    ForWindow(frame->first, &horizon, [&](size_t op) {
      if (Ready(op) && !model_.IsRead(op, frame->state)) frame->candidates.push_back(op);
    });
    std::sort(frame->candidates.begin(), frame->candidates.end(),
              [this](size_t a, size_t b) { return spans_[a].end < spans_[b].end; });
    for (size_t op : open_) {
      if (spans_[op].start > horizon) break;
      if (!done_[op] && Ready(op)) frame->candidates.push_back(op);
    }
  }

  bool Ready(size_t op) const {
    const size_t after = spans_[op].after;
    return after == Span::kNone || done_[after];
  }

  template <typename F>
  void ForWindow(size_t first, const uint64_t* horizon, F&& visit) {
    for (size_t i = first; i < answered_.size(); ++i) {
      if (spans_[answered_[i]].start > *horizon) break;
      if (!done_[answered_[i]]) visit(answered_[i]);
    }
  }

  const Model& model_;
  std::vector<Span> spans_;
  std::vector<size_t> answered_;  // by start
  std::vector<size_t> open_;      // of unknown outcome, by start
  std::vector<bool> done_;
  std::vector<uint64_t> marks_;  // their xor stands for a set of operations
  const size_t max_failed_;

  size_t left_ = 0;  // answered and not ordered
  uint64_t mark_ = 0;
  std::vector<Frame> path_;
  std::unordered_set<uint64_t> failed_;
};

}  // namespace kiwi::testing
