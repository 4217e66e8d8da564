// Handles SIGBUS, which the system sends if a file that is mapped into memory was shortened after
// it was mapped, or if it cannot be read from its disk.

#pragma once

// Installs the handler: the process then prints one sentence with the name of the file and ends
// with exit code 74. Ranks above 0 wait for a moment first, so that only one of several ranks
// prints.
void file_faults_tell(int rank);
