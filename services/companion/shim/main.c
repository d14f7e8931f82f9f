/* shim: see README.md. `install` puts it where user containers find it, `run` is the first process of a task's container. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int complain(const char *what, const char *name) {
    fprintf(stderr, "headrace shim: cannot %s %s: %s\n", what, name, strerror(errno));
    return 1;
}

static int install(void) {
    char beside[PATH_BYTES];
    if (!make_folder(at(DIR_BIN), 0777)) return complain("make", at(DIR_BIN));
    if (!make_folder(at(DIR_CONTROL), 0777)) return complain("make", at(DIR_CONTROL));
    snprintf(beside, sizeof beside, "%s.new", at(FILE_SHIM));
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC); /* a link, which copy_file would not follow */
    if (self < 0) return complain("read", "/proc/self/exe");
    char real[PATH_BYTES];
    ssize_t length = readlink("/proc/self/exe", real, sizeof real - 1);
    close(self);
    if (length < 0) return complain("read", "/proc/self/exe");
    real[length] = '\0';
    if (!copy_file(AT_FDCWD, real, beside, 0755)) return complain("write", beside);
    if (rename(beside, at(FILE_SHIM)) != 0) return complain("write", at(FILE_SHIM));
    return 0;
}

/* Waits for one of two files; 1 or 2 says which, 0: SIGTERM came and `patient` is not set. */
static int wait_for(int signals, int watch, const char *first, const char *second, bool patient) {
    struct pollfd waits[2] = {{signals, POLLIN, 0}, {watch, POLLIN, 0}};
    for (;;) {
        if (there(first)) return 1;
        if (second != NULL && there(second)) return 2;
        poll(waits, 2, wait_pause(watch));
        drain_watch(watch);
        for (int number; (number = take_signal(signals)) != 0;) {
            while (number == SIGCHLD && waitpid(-1, NULL, WNOHANG) > 0) continue;
            if ((number == SIGTERM || number == SIGINT) && !patient) return 0;
        }
    }
}

static const char *word(bool is) { return is ? "true" : "false"; }

static bool tell(const struct outcome *outcome) {
    char text[640], failed[96] = "";
    if (outcome->failed != NULL)
        snprintf(failed, sizeof failed, ",\"failed\":\"%s\",\"errno\":%d", outcome->failed, outcome->failed_errno);
    int size = snprintf(text, sizeof text,
        "{\"code\":%d,\"signal\":%d,\"timed_out\":%s,\"stopped\":%s,\"terminated\":%s,\"oom\":%s,"
        "\"ready_ms\":%lld,\"started_ms\":%lld,\"ended_ms\":%lld,\"log_errno\":%d%s}\n",
        outcome->code, outcome->signal, word(outcome->timed_out), word(outcome->stopped), word(outcome->terminated),
        word(outcome->oom), (long long)outcome->ready_ms, (long long)outcome->started_ms, (long long)outcome->ended_ms,
        outcome->log_errno, failed);
    return write_whole(FILE_EXIT, text, (size_t)size);
}

/* What user code named outside the shared folder is visible here alone. */
static void give(void) {
    size_t size = 0;
    char to[PATH_BYTES], *data = read_all(at(FILE_WANT), &size);
    if (data != NULL && make_folder(at(DIR_ELSEWHERE), 0777)) {
        int number = 0;
        for (char *path = data; path < data + size; path += strlen(path) + 1) {
            snprintf(to, sizeof to, "%s/%d", at(DIR_ELSEWHERE), number++);
            copy_tree(AT_FDCWD, path, to, 0);
        }
    }
    free(data);
    write_whole(FILE_GIVEN, "", 0);
}

static int refused(void) {
    size_t size = 0;
    char *text = read_all(at(FILE_REFUSED), &size);
    if (text != NULL) write_all(STDERR_FILENO, text, size);
    write_all(STDERR_FILENO, "\n", 1);
    return 1;
}

static int code_of(const struct outcome *outcome) {
    if (outcome->failed != NULL) return outcome->failed_errno == ENOENT ? 127 : 126;
    return outcome->signal != 0 ? 128 + outcome->signal : outcome->code;
}

static int run(void) {
    struct command command;
    struct outcome outcome = {-1, 0, 0, 0, NULL, false, false, false, false, 0, 0, now_ms()};
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int signals = open_signals(), watch = open_watch();
    if (signals < 0) return complain("take", "signals");
    if (there(FILE_EXIT)) { /* this container was started again, which no Pod of ours asks for */
        fprintf(stderr, "headrace shim: the command has run already\n");
        return 1;
    }
    switch (wait_for(signals, watch, FILE_STAGED, FILE_REFUSED, false)) {
    case 0:
        outcome.terminated = true;
        tell(&outcome);
        return 128 + SIGTERM;
    case 2:
        return refused();
    }
    if (read_command(&command, environ)) {
        run_command(&command, signals, watch, &outcome);
    } else {
        outcome.failed = "command";
        outcome.failed_errno = errno;
    }
    open_tree(AT_FDCWD, at(DIR_ATTEMPT));
    open_tree(AT_FDCWD, at(DIR_PACKAGES));
    if (!tell(&outcome)) return complain("write", at(FILE_EXIT)); /* nobody could publish, so nothing is waited for */
    if (wait_for(signals, watch, FILE_PUBLISHED, FILE_WANT, true) == 2) {
        give();
        wait_for(signals, watch, FILE_PUBLISHED, NULL, true);
    }
    return code_of(&outcome);
}

int main(int argc, char **argv) {
    if (argc > 2) set_top(argv[2]);
    if (argc > 1 && strcmp(argv[1], "install") == 0) return install();
    if (argc > 1 && strcmp(argv[1], "run") == 0) return run();
    fprintf(stderr, "usage: shim install|run [folder]\n");
    return 2;
}
