#include "sentencepiece_shim.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

struct sentencepiece_model {
  sentencepiece::SentencePieceProcessor processor;
};

namespace {

int fail(const std::string &reason, char *message, size_t capacity) {
  if (capacity > 0) std::snprintf(message, capacity, "%s", reason.c_str());
  return 1;
}

// Calls a function that returns a status, and turns an exception into a message.
template <typename Body>
int guarded(Body body, char *message, size_t capacity) noexcept {
  try {
    const sentencepiece::util::Status status = body();
    return status.ok() ? 0 : fail(status.ToString(), message, capacity);
  } catch (const std::exception &error) {
    return fail(error.what(), message, capacity);
  } catch (...) {
    return fail("an unknown error", message, capacity);
  }
}

// Copies to memory of malloc, of at least one byte.
void *copied(const void *bytes, size_t count) {
  void *memory = std::malloc(count > 0 ? count : 1);
  if (memory == nullptr) throw std::bad_alloc();
  std::memcpy(memory, bytes, count);
  return memory;
}

class Sentences : public sentencepiece::SentenceIterator {
 public:
  Sentences(sentencepiece_next next, void *context) : next_(next), context_(context) { Next(); }
  bool done() const override { return done_; }
  void Next() override {
    const uint8_t *text = nullptr;
    size_t count = 0;
    const int found = next_(context_, &text, &count);
    failed_ = found < 0;
    done_ = found <= 0;
    if (done_) {
      value_.clear();
    } else {
      value_.assign(reinterpret_cast<const char *>(text), count);
    }
  }
  const std::string &value() const override { return value_; }
  // The trainer looks here before it trains.
  sentencepiece::util::Status status() const override {
    if (!failed_) return {};
    return {sentencepiece::util::StatusCode::kInvalidArgument, "a text cannot be read"};
  }

 private:
  sentencepiece_next next_;
  void *context_;
  std::string value_;
  bool done_ = false;
  bool failed_ = false;
};

}  // namespace

int sentencepiece_load(
    const void *bytes, size_t count, sentencepiece_model **model, char *message, size_t capacity) {
  *model = nullptr;
  return guarded(
      [&] {
        auto made = std::make_unique<sentencepiece_model>();
        const auto status = made->processor.LoadFromSerializedProto(
            absl::string_view(static_cast<const char *>(bytes), count));
        if (status.ok()) *model = made.release();
        return status;
      },
      message, capacity);
}

void sentencepiece_free(sentencepiece_model *model) { delete model; }

int sentencepiece_encode(
    const sentencepiece_model *model, const uint8_t *text, size_t count, int32_t **ids,
    size_t *id_count, char *message, size_t capacity) {
  *ids = nullptr;
  *id_count = 0;
  return guarded(
      [&] {
        std::vector<int> found;
        const auto status = model->processor.Encode(
            absl::string_view(reinterpret_cast<const char *>(text), count), &found);
        if (status.ok()) {
          static_assert(sizeof(int) == sizeof(int32_t), "numbers of symbols have 32 bits");
          *ids = static_cast<int32_t *>(copied(found.data(), found.size() * sizeof(int32_t)));
          *id_count = found.size();
        }
        return status;
      },
      message, capacity);
}

int sentencepiece_train(
    const char *const *keys, const char *const *values, size_t option_count,
    sentencepiece_next next, void *context, uint8_t **model, size_t *count, char *message,
    size_t capacity) {
  *model = nullptr;
  *count = 0;
  return guarded(
      [&] {
        std::unordered_map<std::string, std::string> options;
        for (size_t i = 0; i < option_count; ++i) options[keys[i]] = values[i];
        Sentences sentences(next, context);
        std::string bytes;
        const auto status =
            sentencepiece::SentencePieceTrainer::Train(options, &sentences, &bytes);
        if (status.ok()) {
          *model = static_cast<uint8_t *>(copied(bytes.data(), bytes.size()));
          *count = bytes.size();
        }
        return status;
      },
      message, capacity);
}

void sentencepiece_release(void *memory) { std::free(memory); }
