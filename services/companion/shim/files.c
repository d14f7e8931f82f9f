/* Paths beneath TOP, files that are there whole or not at all, and trees that user code left behind. */
#include "shim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *top_folder = "/headrace";

void set_top(const char *top) { top_folder = top; }

const char *at(const char *name) {
    static char buffers[4][PATH_BYTES];
    static int next;
    char *buffer = buffers[next++ % 4];
    snprintf(buffer, PATH_BYTES, "%s/%s", top_folder, name);
    return buffer;
}

bool there(const char *name) { return access(at(name), F_OK) == 0; }

bool write_all(int fd, const char *data, size_t size) {
    while (size > 0) {
        ssize_t done = write(fd, data, size);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return false;
        data += done;
        size -= (size_t)done;
    }
    return true;
}

char *read_all(const char *path, size_t *size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0) return NULL;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        errno = EINVAL;
        return NULL;
    }
    size_t room = (size_t)status.st_size, used = 0;
    char *data = malloc(room + 1);
    while (data != NULL && used < room) {
        ssize_t got = read(fd, data + used, room - used);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        used += (size_t)got;
    }
    close(fd);
    if (data == NULL) return NULL;
    data[used] = '\0';
    *size = used;
    return data;
}

bool write_whole(const char *name, const char *data, size_t size) {
    char beside[PATH_BYTES];
    snprintf(beside, sizeof beside, "%s.new", at(name));
    unlink(beside); /* of a former life, or a link that somebody put there */
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) return false;
    fchmod(fd, 0644); /* whatever the umask */
    bool done = write_all(fd, data, size);
    int problem = errno;
    close(fd);
    errno = problem;
    return done && rename(beside, at(name)) == 0;
}

bool make_folder(const char *path, mode_t mode) {
    if (mkdir(path, mode) != 0) return errno == EEXIST;
    return chmod(path, mode) == 0;
}

bool copy_file(int from_folder, const char *from, const char *to, mode_t mode) {
    static char buffer[1 << 16];
    int in = openat(from_folder, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (in < 0) return false;
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    bool done = out >= 0;
    while (done) {
        ssize_t got = read(in, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) done = false;
        if (got <= 0) break;
        done = write_all(out, buffer, (size_t)got);
    }
    if (out >= 0) {
        fchmod(out, mode);
        if (close(out) != 0) done = false;
    }
    close(in);
    return done;
}

/* Calls VISIT for each entry of an open folder, and closes it. Names are read first: some file systems lose their place. */
static void each(int folder, void (*visit)(int folder, const char *name, void *with), void *with) {
    DIR *listing = fdopendir(folder);
    if (listing == NULL) {
        close(folder);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(listing)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) visit(dirfd(listing), entry->d_name, with);
    closedir(listing);
}

static void open_entry(int folder, const char *name, void *with) {
    (void)with;
    open_tree(folder, name);
}

/* Nobody runs any more who could swap a folder for a link; chmod fails where the file is somebody else's, who may read it. */
void open_tree(int parent, const char *name) {
    struct stat status;
    if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (S_ISREG(status.st_mode) && (status.st_mode & 0444) != 0444) fchmodat(parent, name, status.st_mode | 0444, 0);
    if (!S_ISDIR(status.st_mode)) return;
    if ((status.st_mode & 0777) != 0777) fchmodat(parent, name, 0777, 0);
    int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder >= 0) each(folder, open_entry, NULL);
}

struct target {
    const char *path;
    int depth;
};

static void copy_entry(int folder, const char *name, void *with) {
    struct target *target = with;
    char to[PATH_BYTES];
    if (snprintf(to, sizeof to, "%s/%s", target->path, name) < (int)sizeof to) copy_tree(folder, name, to, target->depth);
}

/* Files and folders; what is left out (links, sockets, what cannot be read) is missed where it is looked for. */
void copy_tree(int parent, const char *name, const char *to, int depth) {
    struct stat status;
    if (depth > 64 || fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (S_ISREG(status.st_mode)) {
        if (!copy_file(parent, name, to, 0644)) unlink(to);
    } else if (S_ISDIR(status.st_mode)) {
        int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder < 0) return;
        struct target target = {to, depth + 1};
        if (make_folder(to, 0777))
            each(folder, copy_entry, &target);
        else
            close(folder);
    }
}
