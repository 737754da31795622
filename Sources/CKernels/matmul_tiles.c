#include "matmul_tiles.h"

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

void tk_multiply_tiles(tk_tile_function function, int64_t rows_at_once, const tk_matrix *m,
                       int64_t first_tile, int64_t last_tile, const tk_activation_block *x,
                       int64_t first_row, int64_t row_count, float *out, int64_t stride,
                       bool accumulate) {
  enum { PANEL_BYTES = 384 << 10 };
  const int64_t end = first_row + row_count;
  const int64_t group_bytes = m->blocks * TK_ROW_GROUP * (int64_t)sizeof(tk_activation_block);
  int64_t panel = PANEL_BYTES / group_bytes * TK_ROW_GROUP;
  if (panel < TK_ROW_GROUP) panel = TK_ROW_GROUP;
  for (int64_t p = first_row; p < end;) {
    // Panels end where row groups do.
    int64_t panel_end = smaller((p / TK_ROW_GROUP) * TK_ROW_GROUP + panel, end);
    for (int64_t t = first_tile; t < last_tile; t++) {
      tk_tile_job job = {
          .tile = m->tiles + t * m->blocks * m->bytes_per_block,
          .blocks = m->blocks,
          .stride = stride,
          .columns = smaller(m->outputs - t * TK_TILE, TK_TILE),
          .factor = m->factor,
          .bias = m->bias ? m->bias + t * TK_TILE : 0,
          .accumulate = accumulate,
      };
      for (int64_t r = p; r < panel_end;) {
        int64_t in_group = r % TK_ROW_GROUP;
        // From the beginning of a row group on, several.
        int64_t rows = in_group == 0 ? rows_at_once : TK_ROW_GROUP - in_group;
        rows = smaller(rows, panel_end - r);
        job.x = x + r / TK_ROW_GROUP * m->blocks * TK_ROW_GROUP + in_group;
        job.out = out + (r - first_row) * stride + t * TK_TILE;
        function(rows, &job);
        r += rows;
      }
    }
    p = panel_end;
  }
}
