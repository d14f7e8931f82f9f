/* Reading the command (its format: README.md), making its environment, finding its program. */
#include "shim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct texts {
    char *next, *end;
    bool broken;
};

static char *take(struct texts *texts) {
    char *text = texts->next;
    char *nul = texts->broken ? NULL : memchr(text, '\0', (size_t)(texts->end - text));
    if (nul == NULL) {
        texts->broken = true;
        return "";
    }
    texts->next = nul + 1;
    return text;
}

static int64_t take_number(struct texts *texts, int64_t most) {
    char *rest, *text = take(texts);
    errno = 0;
    long long number = strtoll(text, &rest, 10);
    if (errno != 0 || *text == '\0' || *rest != '\0' || number < 0 || number > most) texts->broken = true;
    return texts->broken ? 0 : number;
}

static size_t named(const char *variable) { return strcspn(variable, "="); }

static char **place_of(char **env, const char *name, size_t length) {
    for (; *env != NULL; env++)
        if (named(*env) == length && strncmp(*env, name, length) == 0) break;
    return env;
}

/* Whether VARIABLE names a folder in which this user can make something. */
static bool names_own_folder(const char *variable) {
    struct stat status;
    const char *folder = variable + named(variable) + 1;
    return stat(folder, &status) == 0 && S_ISDIR(status.st_mode) && access(folder, W_OK | X_OK) == 0;
}

/* One setting; `env` has room for it. */
static bool apply(char **env, char *setting) {
    if (*setting == '\0') return false;
    char *variable = setting + 1;
    char **place = place_of(env, variable, named(variable));
    if (*setting == '-') {
        for (; *place != NULL; place++) place[0] = place[1];
        return true;
    }
    if (variable[named(variable)] != '=') return false;
    if (*setting == '~') {
        if (*place != NULL && names_own_folder(*place)) return true;
        if (!make_folder(variable + named(variable) + 1, 0700)) return true; /* then it stays as the image has it */
        if (*place == NULL) place[1] = NULL;
        *place = variable;
    } else if (*place == NULL || *setting == '=') {
        if (*place == NULL) place[1] = NULL;
        *place = variable;
    } else if (*setting == ':') {
        const char *value = variable + named(variable) + 1;
        size_t room = strlen(*place) + strlen(value) + 2;
        char *joined = malloc(room);
        if (joined == NULL) return false;
        const char *between = (*place)[named(*place) + 1] == '\0' ? "" : ":";
        snprintf(joined, room, "%s%s%s", *place, between, value);
        *place = joined;
    } else if (*setting != '?') {
        return false;
    }
    return true;
}

bool read_command(struct command *command, char **environ_now) {
    size_t size = 0, given = 0;
    char *data = read_all(at(FILE_COMMAND), &size);
    if (data == NULL) return false;
    struct texts texts = {data, data + size, false};
    if (strcmp(take(&texts), "headrace-command 1") != 0) texts.broken = true;
    command->folder = take(&texts);
    command->timeout_ms = take_number(&texts, INT64_MAX / 2);
    command->grace_ms = take_number(&texts, INT64_MAX / 2);
    size_t count = (size_t)take_number(&texts, 1 << 20);
    command->argv = calloc(count + 1, sizeof *command->argv);
    if (command->argv == NULL) return false;
    for (size_t index = 0; index < count; index++) command->argv[index] = take(&texts);
    size_t settings = (size_t)take_number(&texts, 1 << 20);
    while (environ_now[given] != NULL) given++;
    command->env = calloc(given + settings + 1, sizeof *command->env);
    if (command->env == NULL) return false;
    memcpy(command->env, environ_now, given * sizeof *command->env);
    for (size_t index = 0; index < settings; index++)
        if (texts.broken || !apply(command->env, take(&texts))) texts.broken = true;
    if (strcmp(take(&texts), "end") != 0 || count == 0) texts.broken = true;
    errno = EBADMSG;
    return !texts.broken;
}

static bool can_run(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0) return false;
    if (!S_ISREG(status.st_mode)) errno = EACCES;
    return S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

bool find_program(const struct command *command, char *found) {
    const char *name = command->argv[0];
    if (strchr(name, '/') != NULL) { /* relative ones: the process is in its folder by then */
        snprintf(found, PATH_BYTES, "%s", name);
        return can_run(found);
    }
    char **path = place_of(command->env, "PATH", 4);
    const char *folders = *path != NULL ? *path + 5 : DEFAULT_PATH;
    int problem = ENOENT;
    while (*name != '\0') {
        size_t length = strcspn(folders, ":");
        snprintf(found, PATH_BYTES, "%.*s%s%s", (int)length, folders, length > 0 ? "/" : "./", name);
        if (can_run(found)) return true;
        if (errno == EACCES) problem = EACCES;
        if (folders[length] == '\0') break;
        folders += length + 1;
    }
    errno = problem;
    return false;
}
