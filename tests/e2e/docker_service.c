// The only file of a container image. PORT: answers every connection to 127.0.0.1:PORT with 200, and ends when it is told
// to. idle: does nothing, and ends likewise. check: what a health check runs, fails once break was called. eat: takes
// memory until it is killed.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void end(int number) { _exit(number == SIGTERM ? 0 : 1); }

static int check(void) {
  static const char text[] = "the queue is stuck\n";
  if (access("/bad", F_OK) != 0) return 0;
  return write(1, text, sizeof text - 1) < 0 ? 2 : 1;
}

static void eat(void) {
  enum { kPiece = 1 << 20 };
  for (;;) {
    char* piece = malloc(kPiece);
    if (piece == 0) _exit(2);
    memset(piece, 1, kPiece);
  }
}

int main(int count, char** words) {
  const char* word = count > 1 ? words[1] : "";
  if (strcmp(word, "check") == 0) return check();
  if (strcmp(word, "break") == 0) return open("/bad", O_CREAT | O_WRONLY, 0600) < 0;
  if (strcmp(word, "fail") == 0) return 3;
  if (strcmp(word, "eat") == 0) eat();
  signal(SIGTERM, end);  // the first process of a container dies of no signal that it does not handle
  if (strcmp(word, "idle") == 0)
    for (;;) pause();
  unlink("/bad");  // a restart heals
  const int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  here.sin_port = htons((unsigned short)atoi(word));
  if (bind(listener, (struct sockaddr*)&here, sizeof here) != 0 || listen(listener, 16) != 0) return 1;
  for (;;) {
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
    char request[1024];
    const int peer = accept(listener, 0, 0);
    if (peer < 0) continue;
    if (read(peer, request, sizeof request) > 0 && write(peer, answer, sizeof answer - 1) < 0) _exit(1);
    shutdown(peer, SHUT_WR);
    while (read(peer, request, sizeof request) > 0) {
    }
    close(peer);
  }
}
