/* Hits at a steady rate: `steady PORT RATE SECONDS CONNECTIONS`, request heads from standard input, each ended by an empty line. Latency
   counts from the moment a request was due, so that a server which stands still is charged for all it kept waiting. A connection that is
   closed is opened again and asked again, on the same clock. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 256, DUE = 1 << 16 };
static struct { int fd; double due; long left; char head[8192]; size_t held; char *asked; size_t length; } lines[MOST];
static double queue[DUE];
static struct sockaddr_in address;
static struct pollfd polled[MOST];

static void dial(int i) {
  int one = 1;
  if (polled[i].fd) close(lines[i].fd);
  lines[i].fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(lines[i].fd, (void *)&address, sizeof address)) perror("connect"), exit(1);
  setsockopt(lines[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  polled[i] = (struct pollfd){lines[i].fd, POLLIN, 0};
}
static void ask(int i) {
  lines[i].held = 0, lines[i].left = -1;
  for (int tries = 0; send(lines[i].fd, lines[i].asked, lines[i].length, MSG_NOSIGNAL) != (ssize_t)lines[i].length; dial(i))
    if (tries++ == 3) perror("send"), exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}
static int ascending(const void *a, const void *b) { return (*(float *)a > *(float *)b) - (*(float *)a < *(float *)b); }

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  double rate = atof(argv[2]), seconds = atof(argv[3]);
  int connections = atoi(argv[4]), count = 0;
  static char text[1 << 24];
  size_t size = fread(text, 1, sizeof text - 1, stdin);
  static char *heads[1 << 17];
  for (char *at = text, *end; (end = memmem(at, text + size - at, "\r\n\r\n", 4)) && count < (1 << 17) - 1; at = end + 4) heads[count++] = at;
  if (!count || connections > MOST) return 2;
  heads[count] = text + size;
  address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  for (int i = 0; i < connections; i++) dial(i);
  float *took = malloc(sizeof(float) * (size_t)(rate * seconds + 1000));
  long done = 0, failed = 0, bytes = 0, next = 0;
  unsigned first = 0, waiting = 0;
  double begun = now(), due = begun, stop = begun + seconds * 1e6;
  static char buffer[65536];
  for (;;) {
    double t = now();
    while (due <= t && due < stop) {
      if (waiting == DUE) failed++;
      else queue[(first + waiting++) % DUE] = due;
      due += 1e6 / rate;
    }
    int busy = 0;
    for (int i = 0; i < connections; i++) {
      if (!lines[i].due && waiting) {
        lines[i].asked = heads[next % count], lines[i].length = heads[next % count + 1] - heads[next % count];
        next++;
        lines[i].due = queue[first++ % DUE], first %= DUE, waiting--;
        ask(i);
      }
      busy += lines[i].due != 0;
    }
    if (t >= stop && !busy && !waiting) break;
    if (t >= stop + 5e6) return fputs("no answer within five seconds\n", stderr), 1;
    double wait = due - now();
    struct timespec pause = {0, wait <= 0 || due >= stop ? 1000000 : (long)(wait * 1000) % 1000000000};
    if (ppoll(polled, connections, &pause, 0) <= 0) continue;
    for (int i = 0; i < connections; i++) {
      if (!(polled[i].revents & (POLLIN | POLLHUP))) continue;
      ssize_t got = read(lines[i].fd, buffer, sizeof buffer);
      if (got <= 0) {
        dial(i);
        if (lines[i].due) ask(i);
        continue;
      }
      bytes += got;
      if (lines[i].left < 0) {
        size_t room = sizeof lines[i].head - 1 - lines[i].held, part = (size_t)got < room ? (size_t)got : room;
        memcpy(lines[i].head + lines[i].held, buffer, part);
        lines[i].held += part;
        lines[i].head[lines[i].held] = 0;
        char *end = strstr(lines[i].head, "\r\n\r\n"), *length = strcasestr(lines[i].head, "\r\ncontent-length:");
        if (!end) continue;
        if (strncmp(lines[i].head, "HTTP/1.1 200", 12)) failed++;
        lines[i].left = (length && length < end ? atol(length + 17) : 0) - (long)(lines[i].held - (end + 4 - lines[i].head)) - (got - (ssize_t)part);
      } else lines[i].left -= got;
      if (lines[i].left > 0) continue;
      took[done++] = now() - lines[i].due;
      lines[i].due = 0;
    }
  }
  qsort(took, done, sizeof *took, ascending);
#define AT(share) took[(long)((done - 1) * (share))]
  printf("RESULT {\"requests\":%ld,\"seconds\":%.6f,\"p50\":%.0f,\"p99\":%.0f,\"p999\":%.0f,\"max\":%.0f,\"bytes\":%ld,\"failed\":%ld}\n", done,
         (now() - begun) / 1e6, AT(0.5), AT(0.99), AT(0.999), AT(1), bytes, failed);
}
