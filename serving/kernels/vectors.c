/* Sums of rows of a matrix, and the user's factors solved from a history: see serving/sparse.py, serving/members/als.py. */
#include "common.h"

enum { SINGULAR = -2, TOGETHER = 4, STRIP = 64 };

/* The columns from *from* on, at most STRIP, of one question's sum. */
INLINE void strip(const int32_t *rows, const float *weights, long count, const float *vectors, long d, long from,
                  float *sum) {
    if (from + STRIP > d) {
        for (long e = 0; e < count; e++)
            for (long i = from; i < d; i++) sum[i] += weights[e] * vectors[(long)rows[e] * d + i];
        return;
    }
    Many own[STRIP / LANES] = {{0}};
    for (long e = 0; e < count; e++) {
        if (e + AHEAD < count) soon(vectors + (long)rows[e + AHEAD] * d + from, STRIP * 4);
        for (int i = 0; i < STRIP / LANES; i++)
            own[i] += weights[e] * load(vectors + (long)rows[e] * d + from + i * LANES);
    }
    for (int i = 0; i < STRIP / LANES; i++) store(sum + from + i * LANES, own[i]);
}

/* out (n, d): for question q the sum of the rows of vectors (v, d) named from indptr[q] to indptr[q + 1], each times its
   weight. Strip by strip, so that what one question has read is near for the next. */
WIDE int mixed(const int64_t *indptr, const int32_t *rows, const float *weights, long n, const float *vectors, long d,
               float *out) {
    memset(out, 0, (size_t)(n * d) * sizeof *out);
    for (long from = 0; from < d; from += STRIP)
        for (long q = 0; q < n; q++) {
            long start = indptr[q];
            strip(rows + start, weights + start, indptr[q + 1] - start, vectors, d, from, out + q * d);
        }
    return 0;
}

/* x (d,) = a^-1 right, of a symmetric positive matrix (d, d) whose upper half is read and written over: Cholesky. */
INLINE int solve(double *a, double *right, long d, double *x) {
    for (long j = 0; j < d; j++) {
        double *row = a + j * d;
        if (!(row[j] > 0)) return SINGULAR;
        double each = 1.0 / sqrt(row[j]);
        for (long i = j; i < d; i++) row[i] *= each;
        for (long k = j + 1; k < d; k++) {
            double factor = row[k], *below = a + k * d;
            for (long i = k; i < d; i++) below[i] -= factor * row[i];
        }
    }
    for (long j = 0; j < d; j++) {
        double known = right[j] / a[j * d + j];
        right[j] = known;
        for (long i = j + 1; i < d; i++) right[i] -= a[j * d + i] * known;
    }
    for (long j = d - 1; j >= 0; j--) {
        double sum = right[j];
        for (long i = j + 1; i < d; i++) sum -= a[j * d + i] * x[i];
        x[j] = sum / a[j * d + j];
    }
    return 0;
}

/* a (d, d), its upper half, and more by w y y' of each of TOGETHER rows y (TOGETHER, d). Returns 0: none is left. */
INLINE int added(double *a, const double *y, const double *weight, long d) {
    for (long j = 0; j < d; j++) {
        double first = weight[0] * y[j], second = weight[1] * y[d + j];
        double third = weight[2] * y[2 * d + j], fourth = weight[3] * y[3 * d + j], *into = a + j * d;
        for (long i = j; i < d; i++)
            into[i] += first * y[i] + second * y[d + i] + (third * y[2 * d + i] + fourth * y[3 * d + i]);
    }
    return 0;
}

/* out (n, d) user vectors, NaN without an entry of positive weight: (gram + sum w y y') x = sum (1 + w) y over the
   history, w = alpha times its weights (nnz,), y rows of factors (v, d). Returns 0, -1 without memory, -2 if no solution
   is there. */
WIDE int folded(const int64_t *indptr, const int32_t *items, const float *weights, long n, const float *factors, long d,
                const double *gram, double alpha, float *out) {
    double *a = borrow(SOLVED, (size_t)(d * d + (2 + TOGETHER) * d) * sizeof *a);
    if (!a) return -1;
    double *right = a + d * d, *x = right + d, *y = x + d;
    for (long q = 0; q < n; q++) {
        int some = 0, held = 0, status;
        double weight[TOGETHER];
        memcpy(a, gram, (size_t)(d * d) * sizeof *a);
        memset(right, 0, (size_t)d * sizeof *right);
        for (long e = indptr[q]; e < indptr[q + 1]; e++) {
            if (e + AHEAD < indptr[n]) soon(factors + (long)items[e + AHEAD] * d, d * 4);
            if (!(weights[e] > 0)) continue;
            const float *row = factors + (long)items[e] * d;
            weight[held] = (double)((float)alpha * weights[e]);
            some = 1;
            for (long i = 0; i < d; i++) {
                y[held * d + i] = row[i];
                right[i] += (1 + weight[held]) * row[i];
            }
            if (++held == TOGETHER) held = added(a, y, weight, d);
        }
        for (; held && held < TOGETHER; held++) {
            weight[held] = 0;
            memset(y + held * d, 0, (size_t)d * sizeof *y);
        }
        if (held) added(a, y, weight, d);
        if (!some) {
            for (long i = 0; i < d; i++) out[q * d + i] = NAN;
            continue;
        }
        if ((status = solve(a, right, d, x))) {
            hand_back(SOLVED, a);
            return status;
        }
        for (long i = 0; i < d; i++) out[q * d + i] = (float)x[i];
    }
    hand_back(SOLVED, a);
    return 0;
}
