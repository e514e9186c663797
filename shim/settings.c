/* The file beside the executable that `dari install` writes: where the agent's
 * socket is, how long to wait, and what to start where there is no agent.
 *
 *     # dari's native entry
 *     socket=/run/dari/agent.sock
 *     timeout=30
 *     python=/usr/bin/python3.11
 *     package=/usr/lib/python3/dist-packages
 *
 * It names a program that will run as root, so it counts only if root or the
 * caller owns it and nobody else may write it. It is not an environment
 * variable, since what a runtime's environment holds is nobody's decision.
 */
#include "dari.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_SETTINGS = 16384, MAX_TIMEOUT_S = 3600 };

/* "30", "0.5": seconds with at most three decimals, over 0 and up to an hour. */
static bool parse_timeout(const char *value, int64_t *timeout_ms)
{
    int64_t whole = 0, thousandths = 0, unit = 100;
    const char *at = value;
    for (; *at >= '0' && *at <= '9' && whole <= MAX_TIMEOUT_S; at++)
        whole = whole * 10 + (*at - '0');
    if (*at == '.' && at > value)
        for (at++; *at >= '0' && *at <= '9' && unit > 0; at++, unit /= 10)
            thousandths += (*at - '0') * unit;
    thousandths += whole * 1000;
    if (*at != '\0' || thousandths == 0 || thousandths > (int64_t)MAX_TIMEOUT_S * 1000)
        return false;
    *timeout_ms = thousandths;
    return true;
}

static bool take_path(const char *value, char *into, size_t size)
{
    size_t length = strlen(value);
    if (value[0] != '/' || length >= size)
        return false;
    memcpy(into, value, length + 1);
    return true;
}

/* Keys that are not known are left alone: they may be a later release's. */
static const char *take(struct settings *settings, const char *key, const char *value)
{
    if (strcmp(key, "socket") == 0 &&
        !take_path(value, settings->socket, sizeof settings->socket))
        return "socket is no absolute path of at most 107 bytes";
    if (strcmp(key, "python") == 0 &&
        !take_path(value, settings->python, sizeof settings->python))
        return "python is no absolute path";
    if (strcmp(key, "package") == 0 &&
        !take_path(value, settings->package, sizeof settings->package))
        return "package is no absolute path";
    if (strcmp(key, "timeout") == 0 && !parse_timeout(value, &settings->timeout_ms))
        return "timeout is no number of seconds over 0 and up to 3600";
    return NULL;
}

static const char *parse(struct settings *settings, char *text)
{
    char *rest = text, *line;
    while ((line = strsep(&rest, "\n")) != NULL) {
        const char *refused;
        char *equals = strchr(line, '=');
        if (line[0] == '\0' || line[0] == '#')
            continue;
        if (equals == NULL)
            return "a line is neither a comment nor key=value";
        *equals = '\0';
        refused = take(settings, line, equals + 1);
        if (refused != NULL)
            return refused;
    }
    if ((settings->python[0] == '\0') != (settings->package[0] == '\0'))
        return "python and package are only of use together";
    return NULL;
}

static const char *check_file(int fd)
{
    struct stat file;
    if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode))
        return "it is no regular file";
    if (file.st_uid != 0 && file.st_uid != geteuid())
        return "it belongs to another user";
    if ((file.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return "others may write it: it must have mode 0644 or less";
    return NULL;
}

static const char *read_file(int fd, struct settings *settings)
{
    static char text[MAX_SETTINGS + 1];
    size_t size = 0;
    ssize_t got = 1;
    const char *refused = check_file(fd);
    if (refused != NULL)
        return refused;
    while (got != 0 && size < sizeof text) {
        got = read(fd, text + size, sizeof text - size);
        if (got > 0)
            size += (size_t)got;
        else if (got < 0 && errno != EINTR)
            return strerror(errno);
    }
    if (size > MAX_SETTINGS)
        return "it is larger than 16 KiB";
    if (memchr(text, '\0', size) != NULL)
        return "it holds a NUL byte";
    text[size] = '\0';
    return parse(settings, text);
}

/* The file is looked for where the executable really is, behind any link.
 * Returns whether there is room for its name. */
static bool find_file(struct settings *settings)
{
    char *file = settings->file;
    ssize_t size = readlink("/proc/self/exe", file, sizeof settings->file - 1);
    char *slash;
    file[size > 0 ? size : 0] = '\0';
    slash = strrchr(file, '/');
    if (slash == NULL ||
        (size_t)(slash + 1 - file) + sizeof SETTINGS_FILE > sizeof settings->file)
        return false;
    memcpy(slash + 1, SETTINGS_FILE, sizeof SETTINGS_FILE);
    return true;
}

const char *read_settings(struct settings *settings)
{
    const char *refused;
    int fd;
    memcpy(settings->socket, DEFAULT_SOCKET, sizeof DEFAULT_SOCKET);
    settings->timeout_ms = DEFAULT_TIMEOUT_MS;
    if (!find_file(settings))
        return NULL;
    fd = open(settings->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? NULL : strerror(errno);
    refused = read_file(fd, settings);
    close(fd);
    return refused;
}
