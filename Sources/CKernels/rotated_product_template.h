// The product of rotated int8 numbers (Rotated.h): its loops over chunks, pairs of tiles and rows. Included once an
// instruction set, whose rotated_*.c says how many rows at most fit its registers, PRODUCT_ROWS, and defines
// multiply_3 and multiply_4, for chunks of three and four groups.

/// Some rows by one pair of tiles, of one chunk.
typedef struct {
  const uint8_t *weights;
  const uint8_t *next;  // the weights that come next, where they are to be fetched ahead; or NULL
  const tk_quant *x;
  const float *scales;
  const int32_t *corrections;
  float *out;
  int64_t stride;
  const float *bias;
  const float *addend;
  int64_t addend_stride;
} product;

static void multiply_3(int64_t rows, const product *p);
static void multiply_4(int64_t rows, const product *p);

static void TK(rotated_multiply)(const tk_rotated_matrix *m, int64_t first, int64_t last,
                                 const tk_rotated_rows *x, int64_t row, int64_t count, float *out,
                                 int64_t stride, const float *bias, const float *addend,
                                 int64_t addend_stride) {
  const int64_t pairs = m->outputs / TK_ROTATED_PAIR, width = TK_ROTATED_GROUP * m->groups;
  const int64_t pair_bytes = m->groups * TK_ROTATED_GROUP_BYTES;
  const int64_t pieces = (count + PRODUCT_ROWS - 1) / PRODUCT_ROWS;
  for (int64_t c = 0; c < m->chunks; c++) {
    for (int64_t t = first; t < last; t++) {
      const int64_t o = t * TK_ROTATED_PAIR;
      product p = {.weights = m->tiles + (c * pairs + t) * pair_bytes, .stride = stride};
      for (int64_t i = 0; i < pieces; i++) {
        // Pieces of nearly equal size: a last one of one row would take as long as one of five.
        const int64_t begin = count * i / pieces, end = count * (i + 1) / pieces;
        const int64_t place = c * x->rows + row + begin;
        p.next = i == 0 ? p.weights + pair_bytes : NULL;
        p.x = (const tk_quant *)x->quants + place * width;
        p.scales = x->scales + place;
        p.corrections = x->corrections + place * 4;
        p.out = out + begin * stride + o;
        if (c == 0) {
          p.bias = bias ? bias + o : NULL;
          p.addend = addend ? addend + begin * addend_stride + o : NULL;
          p.addend_stride = addend_stride;
        } else {
          p.bias = NULL;
          p.addend = p.out;
          p.addend_stride = stride;
        }
        (m->groups == 3 ? multiply_3 : multiply_4)(end - begin, &p);
      }
    }
  }
}
