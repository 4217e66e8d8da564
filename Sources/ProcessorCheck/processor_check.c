#include "processor_check.h"
