/* What every kernel shares. Arrays are C-contiguous, floats of 4 bytes; sizes are checked by serving/kernels. */
#ifndef CUVEE_KERNELS_H
#define CUVEE_KERNELS_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* One function, compiled for processors with wider registers too; the loader picks what this machine has. */
#if defined(__x86_64__) && defined(__GNUC__) && defined(__linux__)
#define WIDE __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WIDE
#endif
#define INLINE static inline __attribute__((always_inline))
#define PAD (-1)

enum { LINE = 64, AHEAD = 4 }; /* bytes that come from memory together; rows that are asked for before their turn */

/* Ask memory for *bytes* that are read soon: rows lie anywhere, so the processor cannot guess the next. */
INLINE void soon(const void *from, long bytes) {
    for (long at = 0; at < bytes; at += LINE) __builtin_prefetch((const char *)from + at);
}

/* A number that orders as the float does: of -0 and 0 the same; NaN must not come here. */
INLINE uint32_t in_order(float value) {
    uint32_t bits;
    value += 0.0f;
    memcpy(&bits, &value, 4);
    return bits ^ ((bits >> 31) ? 0xFFFFFFFFu : 0x80000000u);
}

/* Larger is better, of equals the lower place. */
INLINE uint64_t key_of(float value, uint32_t place) { return ((uint64_t)in_order(value) << 32) | (0xFFFFFFFFu - place); }
INLINE uint32_t place_of(uint64_t key) { return 0xFFFFFFFFu - (uint32_t)key; }

/* memory.c: room for a call's own numbers, the thread's own, kept for its next call unless it is much. Every user has a
   slot, so that one may call another. */
enum slot { KEYS, FLAGS, LANED, SOLVED, HELD, CODED, SLOTS };
void *borrow(enum slot slot, size_t bytes);
void hand_back(enum slot slot, void *room);

/* select.c */
void descending(uint64_t *keys, uint64_t *spare, long count);
void largest_first(uint64_t *keys, long count, long k);
int best(const float *scores, long n, long m, long k, int32_t *out);

/* Sixteen numbers side by side; the compiler makes of them what the processor has. */
enum { LANES = 16 };
typedef float Many __attribute__((vector_size(4 * LANES), aligned(4)));
typedef int32_t Whole __attribute__((vector_size(4 * LANES), aligned(4)));

INLINE Many load(const float *from) { return *(const Many *)from; }
INLINE void store(float *to, Many values) { *(Many *)to = values; }
INLINE Many all_of(float value) { return (Many){} + value; }
INLINE Many pick(Whole mask, Many yes, Many no) { return (Many)((mask & (Whole)yes) | (~mask & (Whole)no)); }
INLINE Many least(Many a, Many b) { return pick(a < b, a, b); }
INLINE Many most(Many a, Many b) { return pick(a > b, a, b); }

/* e^x to 2e-7 of itself, between e^-87 and e^88. */
INLINE Many exp_of(Many x) {
    x = least(most(x, all_of(-87.0f)), all_of(88.0f));
    Many turns = x * 1.44269504088896341f;
    Whole whole = __builtin_convertvector(turns + pick(turns < 0, all_of(-0.5f), all_of(0.5f)), Whole);
    Many count = __builtin_convertvector(whole, Many);
    Many rest = x - count * 0.693359375f + count * 2.12194440e-4f;
    Many sum = rest * 1.9875691500e-4f + 1.3981999507e-3f;
    sum = sum * rest + 8.3334519073e-3f;
    sum = sum * rest + 4.1665795894e-2f;
    sum = sum * rest + 1.6666665459e-1f;
    sum = sum * rest + 5.0000001201e-1f;
    sum = sum * rest * rest + rest + 1.0f;
    return sum * (Many)((whole + 127) << 23);
}

/* tanh x to 1e-7. */
INLINE Many tanh_of(Many x) {
    Many level = least(most(x, all_of(-9.0f)), all_of(9.0f));
    return 1.0f - 2.0f / (exp_of(2.0f * level) + 1.0f);
}

/* turned (width, LANES) of rows (count, width), at most LANES of them; the lanes after the last repeat the first. */
INLINE void turn(const float *rows, long count, long width, float *turned) {
    for (long column = 0; column < width; column++)
        for (long lane = 0; lane < LANES; lane++)
            turned[column * LANES + lane] = rows[(lane < count ? lane : 0) * width + column];
}

#endif
