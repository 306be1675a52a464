#include "commands/rest.h"

#include <string_view>
#include <utility>

namespace kiwi::commands {

using protocol::ReplyWriter;

void Rest::Add(ReplyWriter& reply, size_t bytes, Write write) {
  bytes_ += bytes;
  parts_.push_back({.at = reply.buffer().size(),
                    .bytes = bytes,
                    .resp_version = reply.resp3() ? 3 : 2,
                    .write = std::move(write)});
}

void Rest::TakeBack(size_t begin) {
  for (; !parts_.empty() && parts_.back().at >= begin; parts_.pop_back()) {
    bytes_ -= parts_.back().bytes;
    dropped_.push_back(std::move(parts_.back()));
  }
}

bool Rest::Run(std::string* buffer) {
  dropped_.clear();
  if (parts_.empty()) return true;
  const size_t begin = parts_.front().at;
  const std::string behind = buffer->substr(begin);
  buffer->resize(begin);
  bool complete = true;
  for (size_t i = 0; i < parts_.size(); ++i) {
    Part part = std::move(parts_[i]);  // what it holds is given back before the next one is written
    ReplyWriter reply(buffer, part.resp_version);
    complete = complete && part.write(reply);
    const size_t end = i + 1 < parts_.size() ? parts_[i + 1].at : begin + behind.size();
    buffer->append(std::string_view(behind).substr(part.at - begin, end - part.at));
  }
  parts_.clear();
  bytes_ = 0;
  return complete;
}

}  // namespace kiwi::commands
