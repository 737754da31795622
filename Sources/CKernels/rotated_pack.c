// Weights of an encoder into the rotated layout (Rotated.h).
#include <math.h>
#include <string.h>

#include "CKernels.h"

enum { GROUP = TK_ROTATED_GROUP, PAIR = TK_ROTATED_PAIR };

int64_t tk_rotated_matrix_bytes(int64_t outputs, int64_t chunks, int64_t groups) {
  return outputs / PAIR * chunks * groups * TK_ROTATED_GROUP_BYTES;
}

/// Sums and differences of numbers `distance` apart, throughout a group.
static void butterfly(float *x, int distance) {
  for (int i = 0; i < GROUP; i += 2 * distance) {
    for (int j = i; j < i + distance; j++) {
      float a = x[j], b = x[j + distance];
      x[j] = a + b;
      x[j + distance] = a - b;
    }
  }
}

/// One chunk, in place; what makes it orthogonal, 1 / sqrt(32), is left to the activations' scales.
static void rotate(float *x, int64_t groups) {
  for (int64_t g = 0; g < groups; g++) {
    const int distances[] = {64, 32, 16, 1, 2};
    for (int d = 0; d < 5; d++) butterfly(x + GROUP * g, distances[d]);
  }
  for (int i = 0; i < GROUP; i++) {
    float sum = 0;
    for (int64_t g = 0; g < groups; g++) sum += x[GROUP * g + i];
    for (int64_t g = 0; g < groups; g++) x[GROUP * g + i] -= 2 / (float)groups * sum;
  }
}

void tk_rotated_pack(const tk_rotated_matrix *m, const float *weights, int64_t first_pair,
                     int64_t last_pair, uint8_t *tiles) {
  const int64_t width = GROUP * m->groups, pairs = m->outputs / PAIR;
  float chunk[4 * GROUP];
  for (int64_t pair = first_pair; pair < last_pair; pair++) {
    for (int o = 0; o < PAIR; o++) {
      const float *row = weights + (pair * PAIR + o) * m->chunks * width;
      for (int64_t c = 0; c < m->chunks; c++) {
        memcpy(chunk, row + c * width, (size_t)width * sizeof(float));
        rotate(chunk, m->groups);
        uint8_t *group = tiles + (c * pairs + pair) * m->groups * TK_ROTATED_GROUP_BYTES;
        for (int64_t g = 0; g < m->groups; g++, group += TK_ROTATED_GROUP_BYTES) {
          const float *x = chunk + GROUP * g;
          float largest = 0;
          for (int i = 0; i < GROUP; i++) largest = fmaxf(largest, fabsf(x[i]));
          float scale = largest / 127, inverse = largest > 1e-35f ? 127 / largest : 0;
          for (int i = 0; i < GROUP; i++) {
            float scaled = x[i] * inverse;
            // Also where it is no number.
            int q = (int)lrintf(scaled > -127 ? (scaled < 127 ? scaled : 127) : -127);
            group[PAIR * 4 * (i / 4) + 64 * (o / 16) + 4 * (o % 16) + i % 4] = (uint8_t)(128 + q);
          }
          memcpy(group + PAIR * GROUP + 4 * o, &scale, sizeof scale);
        }
      }
    }
  }
}
