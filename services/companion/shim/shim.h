/* What the shim's parts share. One attempt, one thread, no state outside these structures. */
#ifndef SHIM_H
#define SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PATH_BYTES 4096
#define LOG_HEAD (256LL << 20)
#define LOG_TAIL (1 << 20)

/* Beneath TOP; pod_layout.py has the same names. */
#define DIR_BIN "bin"
#define DIR_CONTROL "control"
#define DIR_ATTEMPT "attempt"
#define DIR_PACKAGES "packages"
#define DIR_ELSEWHERE "attempt/elsewhere"
#define FILE_SHIM "bin/shim"
#define FILE_COMMAND "control/command"
#define FILE_STAGED "control/staged"
#define FILE_REFUSED "control/refused"
#define FILE_STOP "control/stop"
#define FILE_WANT "control/want"
#define FILE_GIVEN "control/given"
#define FILE_PUBLISHED "control/published"
#define FILE_LOG "control/log"
#define FILE_EXIT "control/exit"

/* files.c: paths, whole files, trees */
const char *at(const char *name); /* TOP/name, in one of a few buffers */
void set_top(const char *top);
bool there(const char *name);
char *read_all(const char *path, size_t *size); /* with a NUL behind it; NULL and errno */
bool write_whole(const char *name, const char *data, size_t size);
bool make_folder(const char *path, mode_t mode);
bool copy_file(int from_folder, const char *from, const char *to, mode_t mode);
void open_tree(int parent, const char *name);            /* readable for others */
void copy_tree(int parent, const char *name, const char *to, int depth);
bool write_all(int fd, const char *data, size_t size);

/* command.c: what is to be run */
struct command {
    char *folder;
    int64_t timeout_ms, grace_ms;
    char **argv;
    char **env;
};
bool read_command(struct command *command, char **environ_now);
bool find_program(const struct command *command, char *found); /* errno says why not */

/* log.c: the tee */
struct log {
    int file, out;
    int problem; /* errno */
    long long size, total;
    char *ring; /* the last LOG_TAIL bytes of what is beyond the head, round */
    size_t ring_used, ring_at;
};
void log_open(struct log *log);
void log_take(struct log *log, const char *data, size_t size);
void log_close(struct log *log);

/* running.c: the process and its end */
struct outcome {
    int code, signal, failed_errno, log_errno;
    const char *failed; /* NULL: it was started */
    bool timed_out, stopped, terminated, oom;
    int64_t started_ms, ended_ms;
    int64_t ready_ms; /* the container was there, and the shim in it */
};
void run_command(const struct command *command, int signals, int watch, struct outcome *outcome);
void kill_descendants(void);
int64_t now_ms(void);       /* since the epoch */
int64_t monotonic_ms(void);

/* waiting.c: files that appear, signals that come */
int open_signals(void);
int open_watch(void); /* -1: look again every POLL_MS */
int wait_pause(int watch);
int take_signal(int signals); /* 0: none */
void drain_watch(int watch);

#endif
