#pragma once

// Stands in for the C library's allocator in a test program, and counts what one thread asks of it.
void allocation_counter_start(void);
// Stops counting; the allocations since the start on this thread.
long allocation_counter_stop(void);
// The bytes of the allocations since the last start.
long allocation_counter_bytes(void);
