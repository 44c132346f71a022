/* The best products of a question's vector with those of items: coarse ones of all, exact ones of who could be best.
   See serving/members/codes.py. */
#include "common.h"

/* out (blocks, LANES): sums of codes (blocks, groups, LANES, 4) times asked (groups, 4). */
WIDE static void in_steps(const uint8_t *codes, long blocks, long groups, const int8_t *asked, int32_t *out) {
    for (long block = 0; block < blocks; block++)
        for (int lane = 0; lane < LANES; lane++) {
            int32_t sum = 0;
            for (long group = 0; group < groups; group++)
                for (int i = 0; i < 4; i++)
                    sum += codes[((block * groups + group) * LANES + lane) * 4 + i] * asked[group * 4 + i];
            out[block * LANES + lane] = sum;
        }
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

/* Has this processor the instruction that makes coarse products cheap. */
int scans(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni");
}

__attribute__((target("avx512f,avx512vnni"))) static void at_once(const uint8_t *codes, long blocks, long groups,
                                                                  const int8_t *asked, int32_t *out) {
    for (long block = 0; block < blocks; block++) {
        __m512i sum = _mm512_setzero_si512();
        for (long group = 0; group < groups; group++) {
            int32_t four;
            memcpy(&four, asked + group * 4, 4);
            const void *own = codes + (block * groups + group) * 4 * LANES;
            sum = _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(own), _mm512_set1_epi32(four));
        }
        _mm512_storeu_si512(out + block * LANES, sum);
    }
}
#else
int scans(void) { return 0; }
#define at_once in_steps
#endif

/* How a question (d,) is told in eight bits: whole numbers times the step that is returned; half: by how much, in all,
   rounding may be off. */
static float told(const float *question, long d, int8_t *asked, int32_t *sum, float *half) {
    float highest = 0, all = 0;
    for (long i = 0; i < d; i++) {
        highest = fabsf(question[i]) > highest ? fabsf(question[i]) : highest;
        all += fabsf(question[i]);
    }
    float step = highest > 0 ? highest / 127 : 1;
    *sum = 0;
    *half = all / 2;
    for (long i = 0; i < d; i++) {
        asked[i] = (int8_t)lrintf(question[i] / step);
        *sum += asked[i];
    }
    return step;
}

/* coarse, slack (n, items): products to within slack of questions (n, d) with the vectors of items, and their bias.
   codes: (blocks, groups, LANES, 4) of v vectors, 128 more than the numbers; steps, sizes: (v,) what one of an item's
   numbers is worth, and half their sum. place: (items,) whose vector an item has; NULL: its own. bias: (items,).
   plain: do without the instruction that `scans` asks for. NaN where question or bias is. Returns 0, or -1 without memory. */
WIDE int coarse(const float *questions, long n, long d, const uint8_t *codes, long blocks, long groups,
                const float *steps, const float *sizes, long v, const int32_t *place, const float *bias, long items,
                int plain, float *coarse, float *slack) {
    int32_t *sums = borrow(CODED, (size_t)(blocks * LANES) * (sizeof *sums + 2 * sizeof(float)) + (size_t)groups * 4);
    if (!sums) return -1;
    float *own = (float *)(sums + blocks * LANES), *off = own + blocks * LANES;
    int8_t *asked = (int8_t *)(off + blocks * LANES);
    for (long q = 0; q < n; q++) {
        float half, *to = coarse + q * items, *wide = slack + q * items;
        int32_t all;
        if (isnan(questions[q * d])) {
            for (long i = 0; i < items; i++) to[i] = NAN;
            continue;
        }
        memset(asked, 0, (size_t)groups * 4);
        float step = told(questions + q * d, d, asked, &all, &half);
        (plain ? in_steps : at_once)(codes, blocks, groups, asked, sums);
        float *near = place ? own : to, *far = place ? off : wide;
        for (long i = 0; i < v; i++) {
            near[i] = (float)(sums[i] - 128 * all) * (steps[i] * step);
            far[i] = (steps[i] * half + sizes[i] * step) * 1.001f + 1e-6f * fabsf(near[i]);
        }
        for (long i = 0; i < items; i++) {
            if (place) {
                to[i] = own[place[i]];
                wide[i] = off[place[i]];
            }
            to[i] += bias[i];
            wide[i] += 1e-6f * fabsf(bias[i]);
        }
    }
    hand_back(CODED, sums);
    return 0;
}

INLINE float dot(const float *a, const float *b, long d) {
    Many sum = {0};
    long i = 0;
    for (; i + LANES <= d; i += LANES) sum += load(a + i) * load(b + i);
    float rest = 0, total = 0;
    for (; i < d; i++) rest += a[i] * b[i];
    for (int lane = 0; lane < LANES; lane++) total += sum[lane];
    return total + rest;
}

/* out (n, c): products of questions (n, d) with the vectors of items at candidates (n, c), and their bias; NaN where one
   is padding (-1). */
WIDE void exact(const float *questions, long n, long d, const float *vectors, const int32_t *place, const float *bias,
                const int32_t *candidates, long c, float *out) {
    for (long q = 0; q < n; q++)
        for (long i = 0; i < c; i++) {
            int32_t item = candidates[q * c + i];
            if (item < 0) {
                out[q * c + i] = NAN;
                continue;
            }
            const float *own = vectors + (long)(place ? place[item] : item) * d;
            out[q * c + i] = dot(questions + q * d, own, d) + bias[item];
        }
}

/* out (n, k): the items of the k highest exact products, best first, ties to the lower, -1 after the last.
   coarse (n, items), -inf or NaN for who must not be shown, and slack as above. Returns 0, or -1 without memory. */
WIDE int refined(const float *questions, long n, long d, const float *vectors, const int32_t *place, const float *bias,
                 const float *coarse, const float *slack, long items, long k, int32_t *out) {
    uint64_t *keys = borrow(CODED, 2 * (size_t)(items + 1) * sizeof *keys);
    if (!keys) return -1;
    for (long q = 0; q < n; q++) {
        const float *near = coarse + q * items, *far = slack + q * items;
        float bound = INFINITY;
        long count = 0;
        if (best(near, 1, items, k, out + q * k)) {
            hand_back(CODED, keys);
            return -1;
        }
        for (long i = 0; i < k; i++) {
            int32_t item = out[q * k + i]; /* as many as are wanted score so much: nobody below is among the best */
            float low = -INFINITY;
            if (item >= 0) low = dot(questions + q * d, vectors + (long)(place ? place[item] : item) * d, d) + bias[item];
            bound = low < bound ? low : bound;
        }
        for (long i = 0; i < items; i += LANES) {
            int some = 0;
            long end = items - i < LANES ? items - i : LANES;
            for (long lane = 0; lane < end; lane++) some |= near[i + lane] + far[i + lane] >= bound;
            for (long lane = 0; some && lane < end; lane++)
                if (near[i + lane] + far[i + lane] >= bound && near[i + lane] > -INFINITY) {
                    const float *own = vectors + (long)(place ? place[i + lane] : i + lane) * d;
                    float score = dot(questions + q * d, own, d) + bias[i + lane];
                    keys[count++] = key_of(score, (uint32_t)(i + lane));
                }
        }
        descending(keys, keys + items, count);
        for (long i = 0; i < k; i++) out[q * k + i] = i < count ? (int32_t)place_of(keys[i]) : PAD;
    }
    hand_back(CODED, keys);
    return 0;
}
