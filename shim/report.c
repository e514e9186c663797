/* CNI errors as JSON on stdout, time, and writing whole.
 *
 * An error carries the cniVersion that the configuration asks for (SPEC.md,
 * "Error"). To know it, stdin is scanned and not parsed: the scan follows
 * strings and nesting only, and takes nothing that does not look like a version.
 */
#include "dari.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_VERSION "1.1.0" /* what src/dari/result.py calls CURRENT */

enum { MAX_VERSION = 12, MAX_TEXT = 1024, MAX_ERROR = 65536 };

_Static_assert(MAX_ERROR > 6 * (MAX_TEXT + MAX_DETAILS) + 256, "an escaped byte takes six");

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t remaining_ms(const struct clock *clock)
{
    int64_t left = clock->end_ms - now_ms();
    return left > 0 ? left : 0;
}

const char *waited(const struct clock *clock)
{
    static char text[32];
    long long passed = now_ms() - clock->start_ms;
    format(text, sizeof text, "%lld.%lld s", passed / 1000, passed % 1000 / 100);
    return text;
}

short wait_for(int fd, short events, const struct clock *clock)
{
    struct pollfd watched = {.fd = fd, .events = events};
    int64_t left;
    while ((left = remaining_ms(clock)) > 0) {
        int ready = poll(&watched, 1, left < INT_MAX ? (int)left : INT_MAX);
        if (ready > 0)
            return watched.revents;
        if (ready < 0 && errno != EINTR)
            return 0;
    }
    return 0;
}

bool write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno == EAGAIN) {
            struct pollfd watched = {.fd = fd, .events = POLLOUT};
            poll(&watched, 1, -1);
        } else if (written < 0 && errno != EINTR) {
            return false;
        } else if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        }
    }
    return true;
}

bool print_whole(const char *bytes, size_t size)
{
    char lost[128];
    signal(SIGPIPE, SIG_IGN);
    if (write_all(STDOUT_FILENO, bytes, size))
        return true;
    format(lost, sizeof lost, "dari: write the answer to stdout: [Errno %d] %s\n", errno,
           strerror(errno));
    write_all(STDERR_FILENO, lost, strlen(lost));
    return false;
}

void format(char *into, size_t size, const char *template, ...)
{
    va_list arguments;
    va_start(arguments, template);
    vsnprintf(into, size, template, arguments);
    va_end(arguments);
}

/* The index of the quote that ends the string whose first character is at `at`,
 * or `size` where none does. */
static size_t end_of_string(const char *json, size_t size, size_t at)
{
    while (at < size && json[at] != '"')
        at += json[at] == '\\' ? 2 : 1;
    return at < size ? at : size;
}

/* Digits, dot, digits, dot, digits: nothing that would need escaping. */
static bool is_version(const char *text, size_t size)
{
    size_t dots = 0;
    for (size_t i = 0; i < size; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        bool dot = text[i] == '.' && i > 0 && text[i - 1] != '.' && i + 1 < size;
        if (!digit && !dot)
            return false;
        dots += dot;
    }
    return size < MAX_VERSION && dots == 2;
}

/* Copy the value of the top-level key "cniVersion", the last one as JSON
 * decoders do, or leave `version` as it is. */
static void find_version(const char *json, size_t size, char version[MAX_VERSION])
{
    static const char key[] = "cniVersion";
    size_t depth = 0;
    bool at_key = false, wanted = false;
    for (size_t i = 0; i < size; i++) {
        if (json[i] == '"') {
            size_t first = i + 1, length;
            i = end_of_string(json, size, first);
            length = i - first;
            if (i == size || depth != 1)
                continue;
            if (at_key) {
                wanted = length == strlen(key) && memcmp(json + first, key, length) == 0;
            } else if (wanted && is_version(json + first, length)) {
                memcpy(version, json + first, length);
                version[length] = '\0';
            }
        } else if (json[i] == '{' || json[i] == '[') {
            at_key = ++depth == 1;
        } else if (json[i] == '}' || json[i] == ']') {
            if (depth-- <= 1)
                return;
        } else if (depth == 1 && (json[i] == ',' || json[i] == ':')) {
            at_key = json[i] == ',';
        }
    }
}

struct text {
    char bytes[MAX_ERROR];
    size_t size;
};

static void put(struct text *text, const char *more)
{
    size_t size = strlen(more);
    if (size > sizeof text->bytes - text->size)
        return;
    memcpy(text->bytes + text->size, more, size);
    text->size += size;
}

/* A JSON string. Bytes beyond ASCII may be no UTF-8, so they are not passed on. */
static void put_string(struct text *text, const char *value)
{
    char escaped[8];
    put(text, "\"");
    for (; *value != '\0'; value++) {
        unsigned char byte = (unsigned char)*value;
        if (byte == '"' || byte == '\\')
            format(escaped, sizeof escaped, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            format(escaped, sizeof escaped, "\\u%04x", byte);
        else if (byte > 0x7f)
            format(escaped, sizeof escaped, "\\ufffd");
        else
            format(escaped, sizeof escaped, "%c", byte);
        put(text, escaped);
    }
    put(text, "\"");
}

_Noreturn void fail(const struct request *request, enum code code, const char *details,
                    const char *message, ...)
{
    static struct text text;
    char version[MAX_VERSION] = DEFAULT_VERSION, number[8], said[MAX_TEXT];
    va_list arguments;
    va_start(arguments, message);
    vsnprintf(said, sizeof said, message, arguments);
    va_end(arguments);
    find_version(request->config, request->config_size, version);
    format(number, sizeof number, "%d", (int)code);
    put(&text, "{\"cniVersion\":");
    put_string(&text, version);
    put(&text, ",\"code\":");
    put(&text, number);
    put(&text, ",\"msg\":");
    put_string(&text, said);
    put(&text, ",\"details\":");
    put_string(&text, details);
    put(&text, "}\n");
    print_whole(text.bytes, text.size);
    _exit(1);
}
