/* What the parts of the native entry share; dari.c tells the story.
 *
 *   dari.c     main: gather the request, ask, fall back, give up
 *   agent.c    one conversation with the agent over its unix socket
 *   settings.c the file beside the executable that `dari install` writes
 *   report.c   CNI errors as JSON on stdout, and the few helpers around it
 *
 * Memory is static and bounded; pages of it that are not used cost nothing.
 */
#ifndef DARI_H
#define DARI_H

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#define DEFAULT_SOCKET "/run/dari/agent.sock"
#define DEFAULT_TIMEOUT_MS 30000
#define SETTINGS_FILE ".dari.conf"

enum {
    MAX_CONFIG = 1 << 20,     /* bytes of stdin */
    MAX_VARIABLES = 1 << 18,  /* bytes of all forwarded variables with their NULs */
    MAX_ANSWER = 8 << 20,     /* bytes of the agent's stdout */
    MAX_DETAILS = 2 * PATH_MAX, /* bytes of the second text of an error */
    PROTOCOL_VERSION = 1,
};

/* CNI error codes that the entry itself answers with (SPEC.md, "Error");
 * the same numbers as in src/dari/errors.py. */
enum code {
    BAD_ENVIRONMENT = 4,
    IO_FAILURE = 5,
    UNDECODABLE = 6,
    TRY_AGAIN = 11,
    INTERNAL = 999,
};

/* What the runtime asked for. */
struct request {
    const char *plugin;  /* the name it was called by */
    char *command;       /* value of CNI_COMMAND in `variables`, or "" */
    int netns;           /* descriptor of CNI_NETNS, or -1 */
    int inside;          /* on ADD, a route netlink socket that works in there, or -1 */
    size_t variables_size;
    size_t config_size;
    char variables[MAX_VARIABLES]; /* KEY=VALUE\0 ... */
    char config[MAX_CONFIG + 1];   /* stdin; the byte more tells "too large" */
};

/* What `dari install` wrote beside the executable, or the defaults. */
struct settings {
    char file[PATH_MAX];    /* where it was looked for */
    char python[PATH_MAX];  /* interpreter of the fallback; "" where there is none */
    char package[PATH_MAX]; /* folder that holds the package dari */
    char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
    int64_t timeout_ms; /* for everything together */
};

/* When the whole invocation began and when it must be over, CLOCK_MONOTONIC. */
struct clock {
    int64_t start_ms;
    int64_t end_ms;
};

/* How one conversation with the agent ended. */
enum outcome {
    ANSWERED,     /* for one step of it: well so far */
    ABSENT,       /* nobody listens: ENOENT or ECONNREFUSED */
    BROKEN,       /* connected, but the agent went away before a whole answer */
    LATE_CONNECT, /* time was up while it accepted no connection */
    LATE_ANSWER,  /* time was up before a whole answer */
};

struct answer {
    int status;          /* exit status that the agent asks for */
    const char *output;  /* its stdout */
    size_t output_size;
};

/* agent.c: ask the agent once. `retry` adds DARI_RETRY=1, which tells it that an
 * earlier attempt may have been half done. Does not return where the agent is not
 * to be trusted or not to be understood. */
enum outcome ask_agent(const struct request *request, const struct settings *settings,
                       const struct clock *clock, bool retry, struct answer *answer);

/* settings.c: fill `settings`. Returns NULL, or why the file is refused. */
const char *read_settings(struct settings *settings);

/* report.c */
int64_t now_ms(void);
int64_t remaining_ms(const struct clock *clock);
/* How long it has been so far, such as "30.0 s". */
const char *waited(const struct clock *clock);
/* Wait until `fd` has one of `events`; returns them, or 0 when time is up. */
short wait_for(int fd, short events, const struct clock *clock);
bool write_all(int fd, const char *bytes, size_t size);
/* Write all of it to stdout, or tell stderr why not. */
bool print_whole(const char *bytes, size_t size);
void format(char *into, size_t size, const char *template, ...)
    __attribute__((format(printf, 3, 4)));
/* Print a CNI error and exit with status 1. `details` says what to do next. */
_Noreturn void fail(const struct request *request, enum code code, const char *details,
                    const char *message, ...) __attribute__((format(printf, 4, 5)));

#endif
