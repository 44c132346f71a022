/* Room for a call's own numbers: asking the system for it anew costs more than many a call. */
#include "common.h"

enum { KEPT = 1 << 20 };
static __thread struct {
    void *room;
    size_t bytes;
} own[SLOTS];

void *borrow(enum slot slot, size_t bytes) {
    if (bytes > KEPT) return malloc(bytes);
    if (bytes > own[slot].bytes) {
        void *more = realloc(own[slot].room, bytes);
        if (!more) return NULL;
        own[slot].room = more;
        own[slot].bytes = bytes;
    }
    return own[slot].room;
}

void hand_back(enum slot slot, void *room) {
    if (room != own[slot].room) free(room);
}

/* Which sources the library was made from; see build.py. */
#ifndef SOURCES
#define SOURCES ""
#endif
const char *made_from(void) { return SOURCES; }
