/* The command's life: started in a process group of its own, its output taken, ended by time-out, stop or signal, and all that it
 * left behind killed. As the first process of a container, or as a subreaper, the shim gets every orphan and reaps it. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t clock_ms(clockid_t id) {
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t now_ms(void) { return clock_ms(CLOCK_REALTIME); }
int64_t monotonic_ms(void) { return clock_ms(CLOCK_MONOTONIC); }

/* The child: from here to the user's program. */
static void become(const struct command *command, int output, int told) {
    int failed[2];
    sigset_t none;
    setpgid(0, 0);
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0) dup2(nothing, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    char program[PATH_BYTES];
    failed[0] = 'f';
    if (command->folder[0] == '\0' || chdir(command->folder) == 0) {
        failed[0] = 'p';
        if (find_program(command, program)) execve(program, command->argv, command->env);
    }
    failed[1] = errno;
    write_all(told, (const char *)failed, sizeof failed);
    _exit(127);
}

/* The process, or 0 with the outcome saying why there is none. */
static pid_t start(const struct command *command, int output, struct outcome *outcome) {
    int tell[2], failed[2];
    pid_t process = -1;
    if (pipe2(tell, O_CLOEXEC) == 0) process = fork();
    if (process < 0) {
        outcome->failed = "fork";
        outcome->failed_errno = errno;
        return 0;
    }
    if (process == 0) become(command, output, tell[1]);
    setpgid(process, process); /* both do, so that it is done whoever comes first */
    close(tell[1]);
    ssize_t got = read(tell[0], failed, sizeof failed);
    close(tell[0]);
    if (got != (ssize_t)sizeof failed) return process;
    waitpid(process, NULL, 0);
    outcome->failed = failed[0] == 'f' ? "folder" : "program";
    outcome->failed_errno = failed[1];
    return 0;
}

/* How often the kernel ended a process of this container for memory, by cgroups of version 2 or 1. */
static long oom_kills(void) {
    char text[512];
    int fd = open("/sys/fs/cgroup/memory.events", O_RDONLY | O_CLOEXEC);
    if (fd < 0) fd = open("/sys/fs/cgroup/memory/memory.oom_control", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    text[size > 0 ? size : 0] = '\0';
    char *line = strstr(text, "oom_kill ");
    return line != NULL ? atol(line + 9) : 0;
}

/* The children of this process, also those that it was given. False: there are none, or nobody says. */
static bool kill_children(void) {
    char path[64], text[1 << 14];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0) return false;
    text[size] = '\0';
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) kill((pid_t)atol(word), SIGKILL);
    return true;
}

void kill_descendants(void) {
    for (int round = 0; round < 1000; round++) {
        if (getpid() == 1)
            kill(-1, SIGKILL);
        else if (!kill_children())
            break;
        if (waitpid(-1, NULL, 0) < 0 && errno == ECHILD) break;
        while (waitpid(-1, NULL, WNOHANG) > 0) continue;
    }
}

struct ending {
    pid_t process;
    int64_t term_at, kill_at; /* 0: not yet */
    int64_t grace_ms;
};

static void end(struct ending *ending, int number) {
    kill(-ending->process, number);
    if (number != SIGKILL && ending->kill_at == 0) ending->kill_at = monotonic_ms() + ending->grace_ms;
}

/* Whether the process itself has ended. */
static bool reap(pid_t process, struct outcome *outcome) {
    int status;
    pid_t ended;
    bool over = false;
    while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
        if (ended != process) continue;
        over = true;
        outcome->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        outcome->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    }
    return over;
}

static bool take_signals(int signals, struct ending *ending, struct outcome *outcome) {
    bool over = false;
    for (int number; (number = take_signal(signals)) != 0;) {
        if (number == SIGCHLD) {
            over = reap(ending->process, outcome) || over;
        } else if (number == SIGTERM || number == SIGINT) {
            outcome->terminated = true;
            end(ending, number);
        } else {
            kill(-ending->process, number);
        }
    }
    return over;
}

/* Milliseconds until something is due. */
static int look_at_the_clock(struct ending *ending, struct outcome *outcome, int pause) {
    int64_t now = monotonic_ms();
    if (ending->term_at != 0 && now >= ending->term_at) {
        ending->term_at = 0;
        outcome->timed_out = !outcome->terminated && !outcome->stopped;
        end(ending, SIGTERM);
    }
    if (ending->kill_at != 0 && now >= ending->kill_at) {
        end(ending, SIGKILL);
        ending->kill_at = now + 1000;
    }
    int64_t due = ending->kill_at != 0 ? ending->kill_at : ending->term_at;
    if (ending->kill_at != 0 && ending->term_at != 0 && ending->term_at < due) due = ending->term_at;
    return due == 0 || due - now > pause ? pause : (int)(due - now);
}

static bool drain(int output, struct log *log) {
    static char piece[1 << 16];
    ssize_t got = read(output, piece, sizeof piece);
    if (got > 0) log_take(log, piece, (size_t)got);
    if (got == 0) errno = 0;
    return got > 0 || (got < 0 && errno == EINTR);
}

static void follow(struct ending *ending, int signals, int watch, int output, struct log *log, struct outcome *outcome) {
    struct pollfd waits[3] = {{signals, POLLIN, 0}, {output, POLLIN, 0}, {watch, POLLIN, 0}};
    for (;;) {
        int pause = look_at_the_clock(ending, outcome, wait_pause(watch));
        poll(waits, 3, pause);
        if (waits[1].revents != 0 && !drain(output, log) && errno != EAGAIN) waits[1].fd = -1;
        if (take_signals(signals, ending, outcome)) return;
        drain_watch(watch);
        if (!outcome->stopped && there(FILE_STOP)) {
            outcome->stopped = true;
            end(ending, SIGTERM);
        }
    }
}

void run_command(const struct command *command, int signals, int watch, struct outcome *outcome) {
    int output[2];
    struct log log;
    log_open(&log);
    if (pipe2(output, O_CLOEXEC) != 0) {
        outcome->failed = "fork";
        outcome->failed_errno = errno;
        return;
    }
    fcntl(output[0], F_SETFL, O_NONBLOCK);
    long before = oom_kills();
    outcome->started_ms = now_ms();
    struct ending ending = {0, 0, 0, command->grace_ms};
    ending.process = start(command, output[1], outcome);
    close(output[1]);
    if (ending.process == 0) {
        outcome->started_ms = 0;
    } else {
        if (command->timeout_ms > 0) ending.term_at = monotonic_ms() + command->timeout_ms;
        follow(&ending, signals, watch, output[0], &log, outcome);
        kill(-ending.process, SIGKILL);
        kill_descendants();
        while (drain(output[0], &log)) continue; /* nobody holds the other end any more */
        outcome->oom = outcome->signal == SIGKILL && oom_kills() > before;
    }
    outcome->ended_ms = now_ms();
    log_close(&log);
    outcome->log_errno = log.problem;
}
