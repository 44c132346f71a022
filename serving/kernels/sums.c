/* Sums of rows of a sparse matrix: see serving/sparse.py. */
#include "common.h"

/* out (n, width), zeros before: for question q the sum of the rows of a sparse matrix (indptr, indices, data) that are
   named from asked[q] to asked[q + 1], each times its weight, added in that order. */
void added_up(const int64_t *asked, const int32_t *rows, const float *weights, long n, const int32_t *indptr,
              const int32_t *indices, const float *data, long width, float *out) {
    for (long q = 0; q < n; q++) {
        float *sum = out + q * width;
        for (long e = asked[q]; e < asked[q + 1]; e++) {
            if (e + AHEAD < asked[n]) {
                long next = indptr[rows[e + AHEAD]], bytes = (indptr[rows[e + AHEAD] + 1] - next) * 4;
                soon(indices + next, bytes);
                soon(data + next, bytes);
            }
            float weight = weights[e];
            for (long i = indptr[rows[e]]; i < indptr[rows[e] + 1]; i++) sum[indices[i]] += weight * data[i];
        }
    }
}

/* out (m, m), zeros before: a sparse matrix (indptr, indices, data) at the m rows and columns *chosen*. place: by column,
   -1 before and after. */
void crossed(const int32_t *indptr, const int32_t *indices, const float *data, const int64_t *chosen, long m, int32_t *place,
             double *out) {
    for (long i = 0; i < m; i++) place[chosen[i]] = (int32_t)i;
    for (long i = 0; i < m; i++) {
        if (i + 1 < m) soon(indices + indptr[chosen[i + 1]], (indptr[chosen[i + 1] + 1] - indptr[chosen[i + 1]]) * 4L);
        for (long e = indptr[chosen[i]]; e < indptr[chosen[i] + 1]; e++) {
            int32_t column = place[indices[e]];
            if (column >= 0) out[i * m + column] = (double)data[e];
        }
    }
    for (long i = 0; i < m; i++) place[chosen[i]] = -1;
}
