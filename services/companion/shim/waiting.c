/* Signals as a descriptor, and a watch for files that the companion renames into place. */
#include "shim.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define POLL_MS 20
#define LOOK_MS 1000 /* also with a watch: an event may be lost where file systems are stacked */

/* Blocked before anything is started, because the first process of a container gets no signal that it neither blocks nor handles. */
int open_signals(void) {
    sigset_t caught;
    sigfillset(&caught);
    const int left[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};
    for (size_t index = 0; index < sizeof left / sizeof *left; index++) sigdelset(&caught, left[index]);
    sigprocmask(SIG_SETMASK, &caught, NULL);
    return signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* What the kernel says to the shim itself (a full file, a broken pipe) is not the command's. */
int take_signal(int signals) {
    struct signalfd_siginfo came;
    while (read(signals, &came, sizeof came) == (ssize_t)sizeof came) {
        int number = (int)came.ssi_signo;
        bool sent = came.ssi_code <= 0 && (pid_t)came.ssi_pid != getpid();
        if (sent || number == SIGCHLD || number == SIGINT) return number;
    }
    return 0;
}

int open_watch(void) {
    int watch = getenv("HEADRACE_SHIM_POLLS") != NULL ? -1 : inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch >= 0 && inotify_add_watch(watch, at(DIR_CONTROL), IN_MOVED_TO | IN_CREATE) < 0) {
        close(watch);
        watch = -1;
    }
    return watch;
}

int wait_pause(int watch) { return watch >= 0 ? LOOK_MS : POLL_MS; }

void drain_watch(int watch) {
    char events[4096];
    while (watch >= 0 && read(watch, events, sizeof events) > 0) continue;
}
