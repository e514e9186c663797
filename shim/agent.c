/* One conversation with the agent over its unix socket.
 *
 * Request: "DARI", version, u32 length, then KEY=VALUE\0 ..., \0, stdin; the pod's
 * namespace travels as a descriptor (SCM_RIGHTS) with the first bytes, so that an
 * agent in a container needs no view of the host's files, and on ADD behind it a route
 * netlink socket from inside, which saves the agent the way there. Answer: "DARI", version,
 * exit status, u32 length, stdout. Integers are big-endian.
 */
#include "dari.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAGIC "DARI\001"
#define RETRY "DARI_RETRY=1"

enum { MAGIC_SIZE = 5, REQUEST_HEAD = 9, ANSWER_HEAD = 10, MOST_DESCRIPTORS = 2 };

_Static_assert(sizeof MAGIC - 1 == MAGIC_SIZE && PROTOCOL_VERSION == 1, "magic and version");

/* Only root, or who runs this, may answer for the agent (SO_PEERCRED holds who
 * called listen). */
static void check_peer(int fd, const struct request *request, const char *path)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        fail(request, IO_FAILURE, "", "ask who listens at %s: %s", path, strerror(errno));
    if (peer.uid != 0 && peer.uid != geteuid())
        fail(request, IO_FAILURE,
             "Only root's agent is spoken to: stop that process and start `dari agent` as root.",
             "who listens at %s is user %lu, process %ld, and not root's agent", path,
             (unsigned long)peer.uid, (long)peer.pid);
}

/* A blocking connect waits for room in the agent's queue up to SO_SNDTIMEO,
 * and then fails with EAGAIN (unix(7)). */
static enum outcome connect_to(int fd, const char *path, const struct request *request,
                               const struct clock *clock)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    for (;;) {
        int64_t left = remaining_ms(clock) + 1; /* 0 would be: without a limit */
        struct timeval limit = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
            return ANSWERED;
        if (errno == ENOENT || errno == ECONNREFUSED)
            return ABSENT;
        if (errno != EINTR && errno != EAGAIN)
            fail(request, IO_FAILURE, "The agent's socket must be a unix socket that root may use.",
                 "connect to the agent at %s: %s", path, strerror(errno));
        if (remaining_ms(clock) == 0)
            return LATE_CONNECT;
    }
}

static void put_length(unsigned char *into, size_t length)
{
    for (int i = 0; i < 4; i++)
        into[i] = (unsigned char)(length >> (24 - 8 * i));
}

static void attach(struct msghdr *message, struct cmsghdr *control, const struct request *request)
{
    const int passed[MOST_DESCRIPTORS] = {request->netns, request->inside};
    size_t size = (request->inside < 0 ? 1 : 2) * sizeof(int);
    if (request->netns < 0)
        return;
    message->msg_control = control;
    message->msg_controllen = (__typeof__(message->msg_controllen))CMSG_SPACE(size);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = (__typeof__(control->cmsg_len))CMSG_LEN(size);
    memcpy(CMSG_DATA(control), passed, size);
}

static void advance(struct iovec *parts, size_t count, size_t sent)
{
    for (size_t i = 0; i < count; i++) {
        size_t step = sent < parts[i].iov_len ? sent : parts[i].iov_len;
        parts[i].iov_base = (char *)parts[i].iov_base + step;
        parts[i].iov_len -= step;
        sent -= step;
    }
}

/* Send all of `message`. An agent that stops reading may have answered (such as:
 * too large), so that counts as sent and is left to receive(). */
static enum outcome send_all(int fd, struct msghdr *message, size_t count, size_t size,
                             const struct clock *clock)
{
    while (size > 0) {
        ssize_t sent = sendmsg(fd, message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) {
            short events = wait_for(fd, POLLIN | POLLOUT, clock);
            if (events == 0)
                return LATE_ANSWER;
            if ((events & POLLIN) != 0)
                return ANSWERED;
        } else if (sent < 0 && errno != EINTR) {
            return errno == EPIPE || errno == ECONNRESET ? ANSWERED : BROKEN;
        } else if (sent > 0) {
            message->msg_control = NULL;
            message->msg_controllen = 0;
            advance(message->msg_iov, count, (size_t)sent);
            size -= (size_t)sent;
        }
    }
    return ANSWERED;
}

static enum outcome send_request(int fd, const struct request *request,
                                 const struct clock *clock, bool retry)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
    } control;
    unsigned char head[REQUEST_HEAD] = MAGIC;
    static const char end[1] = "";
    struct iovec parts[] = {
        {head, sizeof head},
        {(void *)RETRY, retry ? sizeof RETRY : 0},
        {(void *)request->variables, request->variables_size},
        {(void *)end, sizeof end},
        {(void *)request->config, request->config_size},
    };
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = sizeof parts / sizeof *parts};
    size_t size = 0;
    for (size_t i = 1; i < sizeof parts / sizeof *parts; i++)
        size += parts[i].iov_len;
    put_length(head + MAGIC_SIZE, size);
    memset(&control, 0, sizeof control);
    attach(&message, &control.head, request);
    return send_all(fd, &message, sizeof parts / sizeof *parts, sizeof head + size, clock);
}

/* Refuse what is no answer of ours as soon as its first bytes say so. */
static void check_head(const unsigned char *head, size_t have, const struct request *request,
                       const char *path)
{
    static const char mend[] = "Run `dari install` again, and restart the agent, so that both "
                               "are of the same release.";
    size_t known = have < MAGIC_SIZE - 1 ? have : MAGIC_SIZE - 1;
    if (memcmp(head, MAGIC, known) != 0)
        fail(request, INTERNAL, mend, "the answer from %s is not a dari agent's", path);
    if (have >= MAGIC_SIZE && head[MAGIC_SIZE - 1] != PROTOCOL_VERSION)
        fail(request, INTERNAL, mend,
             "the agent at %s speaks version %d of the protocol, this executable version %d",
             path, head[MAGIC_SIZE - 1], PROTOCOL_VERSION);
}

/* How many bytes the whole answer has, as far as is known from its first ones. */
static size_t answer_size(const unsigned char *head, size_t have, const struct request *request,
                          const char *path)
{
    size_t length = 0;
    check_head(head, have, request, path);
    if (have < ANSWER_HEAD)
        return ANSWER_HEAD;
    for (size_t i = MAGIC_SIZE + 1; i < ANSWER_HEAD; i++)
        length = length << 8 | head[i];
    if (length > MAX_ANSWER)
        fail(request, INTERNAL, "The agent's log may say more.",
             "the agent at %s announces an answer of %zu bytes; at most %d are taken", path,
             length, MAX_ANSWER);
    return ANSWER_HEAD + length;
}

static enum outcome receive(int fd, const struct request *request, const char *path,
                            const struct clock *clock, struct answer *answer)
{
    static unsigned char bytes[ANSWER_HEAD + MAX_ANSWER];
    size_t have = 0, whole = ANSWER_HEAD;
    while (have < whole) {
        ssize_t got;
        if (wait_for(fd, POLLIN, clock) == 0)
            return LATE_ANSWER;
        got = recv(fd, bytes + have, sizeof bytes - have, MSG_DONTWAIT);
        if (got > 0) {
            have += (size_t)got;
            whole = answer_size(bytes, have, request, path);
        } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
            return BROKEN;
        }
    }
    answer->status = bytes[MAGIC_SIZE];
    answer->output = (const char *)bytes + ANSWER_HEAD;
    answer->output_size = whole - ANSWER_HEAD;
    return ANSWERED;
}

enum outcome ask_agent(const struct request *request, const struct settings *settings,
                       const struct clock *clock, bool retry, struct answer *answer)
{
    enum outcome outcome;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail(request, IO_FAILURE, "", "open a unix socket: %s", strerror(errno));
    outcome = connect_to(fd, settings->socket, request, clock);
    if (outcome == ANSWERED) {
        check_peer(fd, request, settings->socket);
        outcome = send_request(fd, request, clock, retry);
    }
    if (outcome == ANSWERED)
        outcome = receive(fd, request, settings->socket, clock, answer);
    close(fd);
    return outcome;
}
