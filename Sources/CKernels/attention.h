// How attention's work is cut into units; the same for every instruction set.
#pragma once

#include "CKernels.h"

/// Queries of one unit at most: they share each page while it is in the first-level cache.
enum { TK_QUERIES = 24, TK_QUERIES_PADDED = 32 };

/// Queries a unit, chosen so that the workers are evenly loaded.
int64_t tk_attention_chunk(const tk_attention *attention, const tk_attention_span *spans,
                           int64_t span_count, int64_t workers);
