/* The one program of an image that has nothing else: `write TEXT FILE…` writes the text to standard output and to each
   file, whose folders it makes; `write --exit N` ends with N. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void make_folders(char *path) {
  for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    mkdir(path, 0777);
    *slash = '/';
  }
}

int main(int count, char **arguments) {
  if (count == 3 && !strcmp(arguments[1], "--exit")) return atoi(arguments[2]);
  if (count < 2) return 64;
  puts(arguments[1]);
  for (int at = 2; at < count; at++) {
    make_folders(arguments[at]);
    FILE *file = fopen(arguments[at], "w");
    if (!file || fputs(arguments[1], file) < 0 || fclose(file)) {
      perror(arguments[at]);
      return 1;
    }
  }
  return 0;
}
