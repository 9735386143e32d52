#pragma once

#include "support.h"

namespace tensorkv::test {

using Operation = Words::Operation;

// An operation that is right, changed to be wrong.
template <typename Change>
Operation With(Operation operation, Change change) {
  change(operation);
  return operation;
}

// Has device 0 run operations, or refuse them.
class Decoding {
 public:
  explicit Decoding(Thread& thread) : thread_(thread) {}

  std::string CodeOfWords(Words& words, size_t count) {
    return CodeOf([&] { thread_->Run(0, words.words(), count); });
  }
  void Takes(const Operation& operation) { CHECK(CodeOfOne(operation).empty()); }
  // And nothing is queued for it.
  void Refuses(const Operation& operation) {
    const size_t before = QueuedWork(0);
    CHECK(CodeOfOne(operation) == "bad_argument");
    CHECK(QueuedWork(0) == before);
  }

 private:
  std::string CodeOfOne(const Operation& operation) {
    Words words;
    words.Put(operation);
    return CodeOfWords(words, 1);
  }

  Thread& thread_;
};

}  // namespace tensorkv::test
