#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// A model of SentencePiece behind functions of C. Nothing throws. A function that can fail returns 0 if all
// is well; otherwise a message is in `message`, cut to `capacity` bytes with the zero at its end.
typedef struct sentencepiece_model sentencepiece_model;

int sentencepiece_load(
    const void *_Nonnull bytes, size_t count, sentencepiece_model *_Nullable *_Nonnull model,
    char *_Nonnull message, size_t capacity);
void sentencepiece_free(sentencepiece_model *_Nonnull model);

// Encodes a text. `ids` is to be freed with sentencepiece_release. Threads may share a model.
int sentencepiece_encode(
    const sentencepiece_model *_Nonnull model, const uint8_t *_Nullable text, size_t count,
    int32_t *_Nullable *_Nonnull ids, size_t *_Nonnull id_count, char *_Nonnull message, size_t capacity);

// The next sentence of a training text, whose bytes last until the next call; 0 if there is none, -1 if
// the text cannot be read, upon which nothing is trained.
typedef int (*sentencepiece_next)(
    void *_Nonnull context, const uint8_t *_Nullable *_Nonnull text, size_t *_Nonnull count);

// Trains a model. `keys` and `values` are options of the trainer. `model` is to be freed with
// sentencepiece_release.
int sentencepiece_train(
    const char *const _Nonnull *_Nonnull keys, const char *const _Nonnull *_Nonnull values,
    size_t option_count, sentencepiece_next _Nonnull next, void *_Nonnull context,
    uint8_t *_Nullable *_Nonnull model, size_t *_Nonnull count, char *_Nonnull message,
    size_t capacity);

void sentencepiece_release(void *_Nullable memory);

#ifdef __cplusplus
}
#endif
