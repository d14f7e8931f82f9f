/* /bin/sh of an image whose users create private files: the shell, with a umask of 077. */
#include <sys/stat.h>
#include <unistd.h>

int main(int count, char **arguments) {
  (void)count;
  umask(077);
  execv("/usr/bin/dash", arguments);
  return 127;
}
