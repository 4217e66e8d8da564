#define _GNU_SOURCE
#include "file_faults.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

// A signal handler may call little more than system calls, so everything here avoids the C library.

enum { INPUT_OUTPUT_ERROR = 74 };

static int rank_of_process;

static void say(const char *text) {
  size_t rest = strlen(text);
  while (rest > 0) {
    ssize_t written = write(STDERR_FILENO, text, rest);
    if (written <= 0) return;
    text += written;
    rest -= (size_t)written;
  }
}

static int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

// Finds in /proc/self/maps the file that is mapped at an address. The lines have the form
//
//     7f0123456000-7f0123457000 r--s 00000000 08:01 1234     /the/path
static bool find_file(uintptr_t address, char *name, size_t room) {
  int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (maps < 0) return false;
  char piece[4096];
  uintptr_t start = 0, end = 0;
  int field = 0;
  size_t length = 0;
  bool is_in_gap = false, is_found = false;
  ssize_t count;
  while (!is_found && (count = read(maps, piece, sizeof piece)) > 0) {
    for (ssize_t i = 0; i < count && !is_found; i++) {
      char c = piece[i];
      if (c == '\n') {
        is_found = start <= address && address < end && length > 0 && name[0] == '/';
        if (is_found) name[length] = 0;
        start = end = 0;
        field = 0;
        length = 0;
        is_in_gap = false;
      } else if (field == 6 || (field == 5 && is_in_gap && c != ' ')) {
        // The sixth part is the path, which may contain spaces.
        field = 6;
        if (length + 1 < room) name[length++] = c;
      } else if (c == ' ') {
        if (!is_in_gap) field++;
        is_in_gap = true;
      } else {
        is_in_gap = false;
        if (field == 0 && c == '-') {
          start = end;
          end = 0;
        } else if (field == 0) {
          end = end << 4 | (uintptr_t)digit(c);
        }
      }
    }
  }
  close(maps);
  return is_found;
}

static void handle(int number, siginfo_t *fault, void *context) {
  (void)context;
  char name[4096];
  if (fault->si_code <= 0 || !find_file((uintptr_t)fault->si_addr, name, sizeof name)) {
    // For another cause the handler returns; the signal occurs again and ends the process as usual.
    signal(number, SIG_DFL);
    return;
  }
  if (rank_of_process > 0) {
    // The launcher's request to end is obeyed without a message.
    signal(SIGTERM, SIG_DFL);
    sleep(3);
  }
  say("unroll: ");
  say(name);
  say(" was cut short while it was in use, or its disk is full or fails: see to that and start again; "
      "an encoded text is then made anew, and checkpoints are untouched\n");
  _exit(INPUT_OUTPUT_ERROR);
}

void file_faults_tell(int rank) {
  rank_of_process = rank;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, NULL);
}
