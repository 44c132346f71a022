/* Room for a call's own numbers: asking the system for it anew costs more than many a call. */
#include "common.h"
#include <pthread.h>

enum { KEPT = 1 << 20 };
typedef struct {
    void *room[SLOTS];
    size_t bytes[SLOTS];
} Own;

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static __thread Own *mine;

static void forget(void *held) { /* when a thread ends */
    Own *own = held;
    for (int slot = 0; slot < SLOTS; slot++) free(own->room[slot]);
    free(own);
}

static void begin(void) { pthread_key_create(&key, forget); }

void *borrow(enum slot slot, size_t bytes) {
    if (!mine) {
        pthread_once(&once, begin);
        mine = calloc(1, sizeof *mine);
        if (mine && pthread_setspecific(key, mine)) {
            free(mine);
            mine = NULL;
        }
    }
    if (!mine || bytes > KEPT) return malloc(bytes);
    if (bytes > mine->bytes[slot]) {
        void *more = realloc(mine->room[slot], bytes);
        if (!more) return NULL;
        mine->room[slot] = more;
        mine->bytes[slot] = bytes;
    }
    return mine->room[slot];
}

void hand_back(enum slot slot, void *room) {
    if (!mine || room != mine->room[slot]) free(room);
}

/* Which sources the library was made from; see build.py. */
#ifndef SOURCES
#define SOURCES ""
#endif
const char *made_from(void) { return SOURCES; }
