/* Run by civetweb.cmake: does this CivetWeb serve TLS? Makes a certificate, starts a server on the loopback, fetches a
   page with OpenSSL as client and looks at the answer. Says what is missing; exit status 0 if nothing is. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "civetweb.h"

static int answer(struct mg_connection* connection) {
  mg_printf(connection, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
  return 200;
}

static int make_certificate(const char* path) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  FILE* file = fopen(path, "w");
  if (!key || !certificate || !file) return 0;
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char*)"localhost", -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  int ok = X509_sign(certificate, key, EVP_sha256()) > 0 && PEM_write_X509(file, certificate) &&
           PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
  fclose(file);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return ok;
}

static int fetch(int port, char* page, int size) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL* ssl = SSL_new(context);
  int total = 0, n;
  if (connect(fd, (struct sockaddr*)&address, sizeof address) != 0 || !SSL_set_fd(ssl, fd) || SSL_connect(ssl) != 1)
    return 0;
  const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  if (SSL_write(ssl, request, (int)sizeof request - 1) <= 0) return 0;
  while (total < size - 1 && (n = SSL_read(ssl, page + total, size - 1 - total)) > 0) total += n;
  page[total] = 0;
  SSL_free(ssl);
  SSL_CTX_free(context);
  close(fd);
  return total;
}

int main(void) {
  char path[] = "/tmp/civetweb-check.XXXXXX";
  int fd = mkstemp(path);
  if (fd < 0 || !make_certificate(path)) return puts("no certificate could be made"), 1;
  close(fd);
  if (!mg_init_library(MG_FEATURES_TLS)) return puts("built without TLS"), unlink(path), 1;
  if (!mg_check_feature(MG_FEATURES_IPV6)) return puts("built without IPv6"), unlink(path), 1;
  if (!mg_check_feature(MG_FEATURES_X_DOMAIN_SOCKET)) return puts("built without unix sockets"), unlink(path), 1;

  const char* options[] = {"listening_ports", "127.0.0.1:0s", "ssl_certificate", path, "num_threads", "2", NULL};
  struct mg_callbacks callbacks;
  memset(&callbacks, 0, sizeof callbacks);
  callbacks.begin_request = answer;
  struct mg_context* server = mg_start(&callbacks, NULL, options);
  unlink(path);
  if (!server) return puts("the server does not start"), 1;
  struct mg_server_port ports[2];
  char page[4096] = "";
  if (mg_get_server_ports(server, 2, ports) != 1) return puts("no port is open"), 1;
  alarm(20);
  if (!fetch(ports[0].port, page, sizeof page)) return puts("the TLS connection fails"), 1;
  mg_stop(server);
  if (!strstr(page, "200 OK") || !strstr(page, "hello")) return puts("the answer over TLS is wrong"), 1;
  return 0;
}
