// The only file of a container image: answers every connection to 127.0.0.1:PORT with 200, and ends when it is told to.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void end(int number) { _exit(number == SIGTERM ? 0 : 1); }

int main(int count, char** words) {
  signal(SIGTERM, end);  // the first process of a container dies of no signal that it does not handle
  const int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  here.sin_port = htons(count > 1 ? (unsigned short)atoi(words[1]) : 0);
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
