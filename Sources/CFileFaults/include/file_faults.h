// What happens where a file that is mapped into memory turns out to be shorter than it was, because
// somebody has cut it meanwhile, or cannot be read from its disk: the system then sends SIGBUS.

#pragma once

// From now on such a process says in one sentence which file it was and ends with the exit code 74.
// Ranks above 0 wait for a moment first, so that one of several speaks.
void file_faults_tell(int rank);
