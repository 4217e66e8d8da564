#pragma once

// What this program was built for, such as "x86-64-v3 (AVX2)".
const char *unroll_built_for(void);
