/* The command's output: to the container's own output, and to a file that the companion reads while it grows. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_MS 1000 /* with whoever reads the container's output */

void log_open(struct log *log) {
    memset(log, 0, sizeof *log);
    log->out = STDOUT_FILENO;
    fcntl(log->out, F_SETFL, fcntl(log->out, F_GETFL) | O_NONBLOCK);
    unlink(at(FILE_LOG));
    log->file = open(at(FILE_LOG), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (log->file < 0)
        log->problem = errno;
    else
        fchmod(log->file, 0644);
}

/* A full disk loses the log and never holds the task up. */
static void keep(struct log *log, const char *data, size_t size) {
    while (size > 0 && log->problem == 0) {
        ssize_t done = write(log->file, data, size);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) {
            log->problem = errno;
            return;
        }
        log->size += done;
        data += done;
        size -= (size_t)done;
    }
}

static void show(struct log *log, const char *data, size_t size) {
    while (size > 0 && log->out >= 0) {
        ssize_t done = write(log->out, data, size);
        if (done >= 0) {
            data += done;
            size -= (size_t)done;
        } else if (errno == EAGAIN) {
            struct pollfd room = {log->out, POLLOUT, 0};
            if (poll(&room, 1, PATIENCE_MS) == 0) return; /* nobody reads: this piece is in the log alone */
        } else if (errno != EINTR) {
            log->out = -1;
        }
    }
}

static void remember(struct log *log, const char *data, size_t size) {
    if (log->ring == NULL && (log->ring = malloc(LOG_TAIL)) == NULL) return;
    if (size > LOG_TAIL) {
        data += size - LOG_TAIL;
        size = LOG_TAIL;
    }
    size_t first = LOG_TAIL - log->ring_at < size ? LOG_TAIL - log->ring_at : size;
    memcpy(log->ring + log->ring_at, data, first);
    memcpy(log->ring, data + first, size - first);
    log->ring_at = (log->ring_at + size) % LOG_TAIL;
    log->ring_used = log->ring_used + size > LOG_TAIL ? LOG_TAIL : log->ring_used + size;
}

void log_take(struct log *log, const char *data, size_t size) {
    show(log, data, size);
    log->total += (long long)size;
    long long room = log->problem != 0 ? 0 : LOG_HEAD - log->size;
    size_t kept = room < (long long)size ? (size_t)room : size;
    keep(log, data, kept);
    if (kept < size && log->problem == 0) remember(log, data + kept, size - kept);
}

void log_close(struct log *log) {
    long long missing = log->total - log->size - (long long)log->ring_used;
    if (log->ring_used > 0 && log->problem == 0) {
        char line[80];
        if (missing > 0) keep(log, line, (size_t)snprintf(line, sizeof line, "\n... %lld bytes of this log were left out ...\n", missing));
        size_t start = (log->ring_at + LOG_TAIL - log->ring_used) % LOG_TAIL;
        size_t first = LOG_TAIL - start < log->ring_used ? LOG_TAIL - start : log->ring_used;
        keep(log, log->ring + start, first);
        keep(log, log->ring, log->ring_used - first);
    }
    if (log->file >= 0 && close(log->file) != 0 && log->problem == 0) log->problem = errno;
}
