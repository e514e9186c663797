/* dari's executable, as a container runtime starts it for every pod.
 *
 * It is called /opt/cni/bin/{dari,bridge,host-local,...}, and its start is what a
 * pod's start costs, so it does nothing itself: it hands stdin, the CNI variables
 * and the open namespace to the agent and prints what the agent answers. Where no
 * agent listens it becomes the Python implementation (src/dari/native/launch.py);
 * where there is no Python either it waits for an agent until its time is up.
 * Whatever happens, stdout carries one whole answer or one whole CNI error.
 *
 * What the entry does itself it does as src/dari/cni/dispatch.py does, to the words
 * of an error: it must not matter which of the two a runtime started.
 */
#include "dari.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { FIRST_PAUSE_MS = 5, LONGEST_PAUSE_MS = 250, ROUTE_NETLINK = 0 /* linux/netlink.h */ };

static const char LAUNCH[] = "/dari/native/launch.py";

/* `dari install` and `dari uninstall` know the executables that are theirs by
 * this string (MARKER in src/dari/agent/install.py). */
static const char IDENTITY[] = "dari-executable";

/* A descriptor that is closed at the start would be taken by the next open, and
 * the answer then be written into a namespace or a socket. Without a stdout there
 * is nowhere to answer to, so nothing is done. */
static void hold_standard_streams(void)
{
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
        _exit(1);
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            _exit(1);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    return name[0] == '\0' ? "dari" : name;
}

static bool is_forwarded(const char *variable, size_t key_size)
{
    static const char *const traces[] = {"TRACEPARENT", "TRACESTATE", "BAGGAGE"};
    if (strncmp(variable, "CNI_", 4) == 0)
        return true;
    for (size_t i = 0; i < sizeof traces / sizeof *traces; i++)
        if (strlen(traces[i]) == key_size && memcmp(variable, traces[i], key_size) == 0)
            return true;
    return false;
}

static const char *value_of(const char *key)
{
    const char *value = getenv(key);
    return value == NULL ? "" : value;
}

/* Whether an earlier variable has the same key: the first one counts, as for
 * getenv and for Python. */
static bool is_shadowed(char **variable, size_t key_size)
{
    for (char **earlier = environ; earlier < variable; earlier++)
        if (strncmp(*earlier, *variable, key_size + 1) == 0)
            return true;
    return false;
}

static void add_variable(struct request *request, const char *key, const char *value)
{
    size_t key_size = strlen(key), value_size = strlen(value) + 1;
    char *at = request->variables + request->variables_size;
    if (key_size + value_size > sizeof request->variables - request->variables_size)
        fail(request, BAD_ENVIRONMENT, "The runtime's CNI_ARGS may be the large one.",
             "the CNI variables are larger than %d bytes", MAX_VARIABLES);
    memcpy(at, key, key_size);
    memcpy(at + key_size, value, value_size);
    request->variables_size += key_size + value_size;
}

static void gather_variables(struct request *request)
{
    static const char command[] = "CNI_COMMAND=";
    static char none[] = "";
    request->command = none;
    add_variable(request, "DARI_PLUGIN=", request->plugin);
    for (char **variable = environ; *variable != NULL; variable++) {
        const char *equals = strchr(*variable, '=');
        size_t key_size = equals == NULL ? 0 : (size_t)(equals - *variable);
        if (key_size == 0 || !is_forwarded(*variable, key_size) ||
            is_shadowed(variable, key_size))
            continue;
        if (strncmp(*variable, command, strlen(command)) == 0)
            request->command = request->variables + request->variables_size + strlen(command);
        add_variable(request, *variable, "");
    }
}

/* Forget what was read, so that an error is in the default version: of half a
 * configuration nobody knows what it says. */
static const struct request *unread(struct request *request)
{
    request->config_size = 0;
    return request;
}

/* Nothing is read without a command, or from a terminal, where nobody would know
 * that we wait. */
static void read_config(struct request *request, const struct clock *clock)
{
    ssize_t got = value_of("CNI_COMMAND")[0] == '\0' || isatty(STDIN_FILENO) ? 0 : 1;
    while (got != 0 && request->config_size < sizeof request->config) {
        if (wait_for(STDIN_FILENO, POLLIN, clock) == 0)
            fail(unread(request), IO_FAILURE, "The runtime must close it.",
                 "read configuration on stdin: waited %s for its end", waited(clock));
        got = read(STDIN_FILENO, request->config + request->config_size,
                   sizeof request->config - request->config_size);
        if (got > 0)
            request->config_size += (size_t)got;
        else if (got < 0 && errno != EINTR && errno != EAGAIN)
            fail(unread(request), IO_FAILURE, "", "read configuration on stdin: [Errno %d] %s",
                 errno, strerror(errno));
    }
    if (request->config_size > MAX_CONFIG)
        fail(unread(request), UNDECODABLE, "", "configuration on stdin: longer than %d bytes",
             MAX_CONFIG);
}

/* Where it cannot be opened, what that means is for the plugin to say: on DEL
 * a namespace may be gone. O_NONBLOCK, because the path may name a FIFO. */
static void open_namespace(struct request *request)
{
    const char *path = value_of("CNI_NETNS");
    request->netns = path[0] == '\0' ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* What an ADD needs first: a route netlink socket that works in the pod's namespace, or
 * -1. Here it takes a few system calls; in Python 3.11 a thread, and a library to find
 * setns in. Whatever is wrong, Python meets it again, and says so. It is inherited by
 * that of the fallback. */
static void open_inside(struct request *request)
{
    int own;
    request->inside = -1;
    if (request->netns < 0 || strcmp(request->command, "ADD") != 0)
        return;
    own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (own >= 0 && setns(request->netns, CLONE_NEWNET) == 0) {
        request->inside = socket(AF_NETLINK, SOCK_RAW, ROUTE_NETLINK);
        if (setns(own, CLONE_NEWNET) != 0)
            fail(request, IO_FAILURE, "", "return from network namespace %s: [Errno %d] %s",
                 value_of("CNI_NETNS"), errno, strerror(errno));
    }
    close(own);
}

/* A pipe holds what a configuration usually is; what it has no room for goes
 * into a file in memory. Returns a descriptor to read it from, or -1. */
static int replay(const char *bytes, size_t size)
{
    int ends[2], file;
    if (pipe2(ends, O_CLOEXEC) == 0) {
        bool whole = fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0 &&
                     write(ends[1], bytes, size) == (ssize_t)size;
        close(ends[1]);
        if (whole)
            return ends[0];
        close(ends[0]);
    }
    file = memfd_create(IDENTITY, MFD_CLOEXEC);
    if (file >= 0 && write_all(file, bytes, size) && lseek(file, 0, SEEK_SET) == 0)
        return file;
    if (file >= 0)
        close(file);
    return -1;
}

/* Become the Python implementation. Returns only if that cannot be, and why. */
static const char *start_python(const struct request *request, const struct settings *settings,
                                bool retry)
{
    static char launch[PATH_MAX + sizeof LAUNCH], netns[12], pod[12];
    const char *arguments[] = {settings->python, "-I", "-S", launch, request->plugin,
                               settings->file, netns, pod, NULL};
    int config, entered = -1;
    if (settings->python[0] == '\0')
        return "No Python is installed on this host as fallback";
    format(launch, sizeof launch, "%s%s", settings->package, LAUNCH);
    if (access(settings->python, X_OK) != 0 || access(launch, R_OK) != 0)
        return "The Python that was installed as fallback is gone";
    config = replay(request->config, request->config_size);
    if (config < 0 || dup2(config, STDIN_FILENO) < 0)
        return "The Python fallback cannot be given its input";
    close(config);
    if (retry)
        putenv((char *)"DARI_RETRY=1");
    else
        unsetenv("DARI_RETRY");
    if (request->inside >= 0)
        entered = dup(request->netns);
    format(netns, sizeof netns, "%d", entered);
    format(pod, sizeof pod, "%d", request->inside);
    if (entered < 0)
        arguments[6] = NULL;
    execve(settings->python, (char *const *)arguments, environ);
    close(entered);
    return "The Python that was installed as fallback does not start";
}

/* Print the answer. An ADD that nobody reads the result of is taken back: the
 * runtime counts it as failed and may never call DEL. */
static int deliver(const struct answer *answer, struct request *request,
                   const struct settings *settings, const struct clock *clock)
{
    struct answer ignored;
    if (print_whole(answer->output, answer->output_size))
        return answer->status;
    if (answer->status == 0 && strcmp(request->command, "ADD") == 0) {
        memcpy(request->command, "DEL", sizeof "DEL");
        ask_agent(request, settings, clock, false, &ignored);
    }
    return 1;
}

static void pause_ms(int64_t length, const struct clock *clock)
{
    int64_t left = remaining_ms(clock);
    int64_t chosen = length < left ? length : left;
    struct timespec time = {.tv_sec = chosen / 1000, .tv_nsec = chosen % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static _Noreturn void give_up(const struct request *request, const struct settings *settings,
                              const struct clock *clock, enum outcome last, const char *reason)
{
    const char *asked = request->command[0] == '\0' ? "the request" : request->command;
    char details[MAX_DETAILS];
    if (last == ABSENT) {
        format(details, sizeof details, "%s (%s). Start `dari agent`, or see why it stopped.",
               reason, settings->file[0] == '\0' ? SETTINGS_FILE : settings->file);
        fail(request, TRY_AGAIN, details, "no agent listens at %s: waited %s to connect",
             settings->socket, waited(clock));
    }
    if (last == LATE_CONNECT)
        fail(request, TRY_AGAIN, "It is overloaded or stuck; its log may say more.",
             "the agent at %s takes no connection: waited %s to connect", settings->socket,
             waited(clock));
    fail(request, TRY_AGAIN, "Its log may say more.",
         last == BROKEN ? "the agent at %s goes away before it answers %.32s: waited %s"
                        : "the agent at %s does not answer %.32s: waited %s",
         settings->socket, asked, waited(clock));
}

/* Ask until there is an answer, an implementation to become, or no time left. */
static int serve(struct request *request, const struct settings *settings,
                 const struct clock *clock)
{
    const char *reason = "";
    bool retry = false;
    for (int64_t pause = FIRST_PAUSE_MS;; pause = pause * 2) {
        struct answer answer;
        enum outcome outcome = ask_agent(request, settings, clock, retry, &answer);
        if (outcome == ANSWERED)
            return deliver(&answer, request, settings, clock);
        if (outcome == ABSENT)
            reason = start_python(request, settings, retry);
        if (outcome == BROKEN) {
            /* The agent that went away may have asked something in there. */
            retry = true;
            close(request->inside);
            open_inside(request);
        }
        pause = pause < LONGEST_PAUSE_MS ? pause : LONGEST_PAUSE_MS;
        pause_ms(pause, clock);
        if (remaining_ms(clock) == 0)
            give_up(request, settings, clock, outcome, reason);
    }
}

int main(int count, char **arguments)
{
    static struct request request;
    static struct settings settings;
    struct clock clock = {.start_ms = now_ms()};
    const char *refused;
    hold_standard_streams();
    refused = read_settings(&settings);
    clock.end_ms = clock.start_ms + settings.timeout_ms;
    request.plugin = count > 0 ? base_name(arguments[0]) : "dari";
    read_config(&request, &clock);
    if (refused != NULL)
        fail(&request, IO_FAILURE, "Run `dari install` again.", "%s is refused: %s",
             settings.file, refused);
    gather_variables(&request);
    open_namespace(&request);
    open_inside(&request);
    return serve(&request, &settings, &clock);
}
